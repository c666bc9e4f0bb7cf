"""What the extension costs the Jupyter server: CPU from start to first answer, with and without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from figures import ratio

ROUNDS = 7


def measure() -> list[dict[str, Any]]:
    """Start servers in turns; count the CPU of the server and of every child it started."""
    with_it, without = [], []
    _cpu_to_first_answer(True), _cpu_to_first_answer(False)  # warm the byte code and the page cache
    for _ in range(ROUNDS):
        with_it.append(_cpu_to_first_answer(True))
        without.append(_cpu_to_first_answer(False))
    return [ratio("server start CPU, with the extension ÷ without", with_it, without, "<= 1.03")]


def _cpu_to_first_answer(enabled: bool) -> float:
    with tempfile.TemporaryDirectory() as home:
        runtime = Path(home) / "runtime"
        env = {
            **os.environ,
            "HOME": home,
            "JUPYTER_CONFIG_DIR": f"{home}/config",
            "JUPYTER_DATA_DIR": f"{home}/data",
            "JUPYTER_RUNTIME_DIR": str(runtime),
        }
        flags = repr({"jupyter_valet": enabled})
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                *("--ServerApp.port=0", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=t"),
                f"--ServerApp.jpserver_extensions={flags}",
                f"--ServerApp.root_dir={home}",
            ],
            env=env,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = _await_answer(runtime / f"jpserver-{process.pid}.json", process)
            seconds = _cpu(process.pid)
            if _has_our_pages(url) != enabled:
                raise RuntimeError("the extension is not what this round says")
            return seconds
        finally:
            process.terminate()
            process.wait(30)


def _await_answer(runtime_file: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            url = json.loads(runtime_file.read_text())["url"]
            with urllib.request.urlopen(f"{url}api/status?token=t", timeout=30) as answer:
                answer.read()
            return str(url)
        except (OSError, ValueError):
            time.sleep(0.02)
    raise RuntimeError("the server did not start")


def _has_our_pages(url: str) -> bool:
    """Tell whether our pages are there: they refuse what is no browser, others do not exist."""
    try:
        urllib.request.urlopen(f"{url}valet/connections?token=t", timeout=30).close()
    except urllib.error.HTTPError as error:
        return error.code == 403
    return False


def _cpu(pid: int) -> float:
    """CPU seconds of `pid` and of its living children."""
    pids = [pid, *_children(pid)]
    ticks = 0
    for each in pids:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found
