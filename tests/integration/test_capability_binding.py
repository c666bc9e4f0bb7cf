"""A capability works in its own kernel's processes alone, on a real server (R59)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_process import Server, jupyter_server
from notebook_kernel import ASK, Kernel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a socket is")

MODULE = (
    ASK
    + """
def square(_):
    return ask()[:3]

if __name__ == "__main__":
    import os, sys
    with open(sys.argv[1] + "~", "w") as file:
        file.write(ask()[:3])
    os.rename(sys.argv[1] + "~", sys.argv[1])
"""
)


@pytest.fixture(scope="module", params=["off", "landlock", "bubblewrap"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("bound")
    config = f"c.ValetExtension.sandbox = {request.param!r}\n"
    with jupyter_server(home, config=config, fake=False) as running:
        (home / "work" / "asking.py").write_text(MODULE)
        yield running


@pytest.fixture(scope="module")
def own(server: Server) -> Iterator[Kernel]:
    kernel = Kernel(server)
    yield kernel
    kernel.end()


@pytest.fixture(scope="module")
def other(server: Server) -> Iterator[Kernel]:
    kernel = Kernel(server)
    yield kernel
    kernel.end()


def test_another_kernel_s_capability_is_refused_and_recorded(
    server: Server, own: Kernel, other: Kernel
) -> None:
    """R59; at `/mcp` as everywhere."""
    assert own.run("print(ask())").startswith("200")
    stolen = own.capability
    for path in ("/status", "/connections", "/mcp"):
        said = other.run(f"print(ask({stolen!r}, {path!r}))")
        assert said.startswith("403"), said
        assert "belongs to another kernel" in said
    assert own.run("print(ask())").startswith("200")  # nothing was taken from its owner
    lines = (server.home / "state" / "audit.jsonl").read_text().splitlines()
    refused = [e for e in map(json.loads, lines) if e["action"] == "capability.refused"]
    assert {e["kernel"] for e in refused} == {own.id}
    assert len(refused) == 3
    assert stolen not in "".join(lines)


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess, sys; print(subprocess.run([sys.executable, '-c',"
        " 'import asking; print(asking.ask()[:3])'], capture_output=True, text=True).stdout)",
        "import os, time\n"
        "os.system('nohup python asking.py left.txt >/dev/null 2>&1 &')\n"
        "while not os.path.exists('left.txt'): time.sleep(0.05)\n"
        "print(open('left.txt').read()); os.unlink('left.txt')",
        "import threading; got = []; thread = threading.Thread(target=lambda:"
        " got.append(ask()[:3])); thread.start(); thread.join(); print(got[0])",
        *(
            "import multiprocessing, asking\n"
            f"with multiprocessing.get_context({how!r}).Pool(2) as pool:\n"
            "    print(*set(pool.map(asking.square, range(4))))"
            for how in ("fork", "spawn", "forkserver")
        ),
    ],
    ids=["subprocess", "nohup", "thread", "fork", "spawn", "forkserver"],
)
def test_what_the_kernel_starts_may_use_its_capability(own: Kernel, code: str) -> None:
    assert own.run(code) == "200"


def test_a_restarted_kernel_has_its_new_process_bound(own: Kernel, other: Kernel) -> None:
    before = own.capability
    own.restart()
    assert own.run("print(ask())").startswith("200")
    assert own.capability != before
    assert own.run(f"print(ask({before!r}))").startswith("401")
    assert other.run(f"print(ask({own.capability!r}))").startswith("403")


def test_a_program_outside_every_kernel_is_refused(server: Server, own: Kernel) -> None:
    """Of the same user: the person's own terminal, or what read the capability somewhere."""
    import urllib.error
    import urllib.request

    url = own.run("print(_os.environ['JUPYTER_VALET_URL'])") + "/status"
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {own.capability}"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    refused.value.close()
    assert refused.value.code == 403


def test_a_broker_that_comes_back_knows_the_processes(
    server: Server, own: Kernel, other: Kernel
) -> None:
    for pid in _brokers(server):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    stolen = own.capability
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(AssertionError):
            if own.run("print(ask())").startswith("200"):
                break
    assert other.run(f"print(ask({stolen!r}))").startswith("403")


def _brokers(server: Server) -> list[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    pids = [int(pid) for pid in children.read_text().split()]
    return [
        pid for pid in pids if "jupyter_valet.broker" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
