"""Compiling GitHub's whole API next to `json.loads` of the same bytes, and starting again.

CPU seconds, since nothing here waits. Memory is the peak of a fresh process over what it had with
its imports done and the document read. Every compile is checked: the tools are there, and one of
them builds the request that it should.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figures import median, ratio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "providers"))
from api_documents import github

from jupyter_valet.broker.egress import build
from jupyter_valet.broker.toolsets.documents import Cache, Compiled, compile_document

ROUNDS = 9
OPERATIONS = 1222
WANTED = "/repos/o/r/issues?state=open"

_PEAK = """
import resource, sys, threading, time
sys.path.insert(0, {providers!r})
from api_documents import github
from jupyter_valet.broker.toolsets.documents import compile_document
raw = github()
import json
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()
before, peak, done = resident(), 0, False
def watch():
    global peak
    while not done:
        peak = max(peak, resident())
        time.sleep(0.0005)
sys.setswitchinterval(0.0005)
watcher = threading.Thread(target=watch)
watcher.start()
made = {make}
peak = max(peak, resident())
done = True
watcher.join()
print((peak - before) / len(raw))
"""


def measure() -> list[dict[str, Any]]:
    """Compile, parse, and start again in turns."""
    raw = github()
    with tempfile.TemporaryDirectory() as folder:
        cache, key = Cache(Path(folder)), Cache.key(raw, name="github")
        cache.put(key, compile_document(raw, name="github"))
        parsed, cold, shown, warm = [], [], [], []
        for _ in range(ROUNDS):
            parsed.append(_cpu(lambda: json.loads(raw)))
            cold.append(_cpu(lambda: _called(compile_document(raw, name="github"))))
            shown.append(_cpu(lambda: _schemas(compile_document(raw, name="github"))))
            warm.append(_cpu(lambda: _called(cache.get(key))))
    peak = [_peak('compile_document(raw, name="github")') for _ in range(3)]
    against = [_peak("json.loads(raw)") for _ in range(3)]
    return [
        ratio("cold compile of GitHub's API ÷ json.loads, CPU", cold, parsed, "<= 1.5"),
        ratio("  with all input schemas made ÷ json.loads, CPU", shown, parsed, "<= 1.5"),
        median("cold compile: peak memory ÷ size of the document", peak, "<= 5", "×"),
        median("  for comparison: json.loads of it", against, "", "×"),
        ratio("warm start, to the first call ÷ cold compile", warm, cold, "<= 0.1"),
    ]


def _called(made: Compiled | None) -> None:
    """Build one request: that is when the first tool can be called."""
    assert made is not None
    operations = made.toolset.operations
    assert len(operations) == OPERATIONS
    operation = next(o for o in operations if o.name == "issues_list_for_repo")
    request = build(made.toolset, operation, {"owner": "o", "repo": "r", "state": "open"})
    assert request.target == WANTED


def _schemas(made: Compiled) -> None:
    assert all(operation.input_schema for operation in made.toolset.operations)


def _cpu(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _peak(make: str) -> float:
    """Return the growth in sizes of the document, in a process of its own."""
    providers = str(Path(__file__).resolve().parents[1] / "providers")
    script = _PEAK.format(providers=providers, make=make)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(run.stdout)
