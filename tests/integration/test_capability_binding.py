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
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_process import Server, jupyter_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a socket is")

ASK = """
import http.client as _http, os as _os, urllib.parse as _parse
def ask(token=_os.environ["JUPYTER_VALET_CAPABILITY"], path="/status"):
    where = _parse.urlsplit(_os.environ["JUPYTER_VALET_URL"])
    connection = _http.HTTPConnection(where.hostname, where.port, timeout=30)
    connection.request("GET", path, headers={"Authorization": "Bearer " + token})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return f"{answer.status} {body}"
"""

MODULE = ASK + "\ndef square(_):\n    return ask()[:3]\n"


class Kernel:
    """A kernel of the server, spoken to as a notebook does."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.id = str(server.api("POST", "api/kernels", {})["id"])
        self.connect()

    def connect(self) -> None:
        self.client = BlockingKernelClient()
        self.client.load_connection_file(str(self.server.home / f"runtime/kernel-{self.id}.json"))
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.run(ASK)

    def run(self, code: str) -> str:
        """Return what the cell prints; it must not fail."""
        printed: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            content = message["content"]
            printed.append(content.get("text", "") or "\n".join(content.get("traceback", [])))

        reply = self.client.execute_interactive(
            code, output_hook=collect, timeout=60, store_history=False
        )
        assert reply["content"]["status"] == "ok", "".join(printed)
        return "".join(printed).strip()

    @property
    def capability(self) -> str:
        return self.run("print(_os.environ['JUPYTER_VALET_CAPABILITY'])")

    def restart(self) -> None:
        self.client.stop_channels()
        self.server.api("POST", f"api/kernels/{self.id}/restart", {})
        self.connect()

    def end(self) -> None:
        self.client.stop_channels()
        self.server.call("DELETE", f"api/kernels/{self.id}")


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
        "import os, time; os.system('nohup sh -c \"python -c \\'import asking;"
        ' open(\\\\"left.txt\\\\", \\\\"w\\\\").write(asking.ask()[:3])\\\'" >/dev/null 2>&1 &\');'
        " [time.sleep(.05) for _ in range(200) if not os.path.exists('left.txt')];"
        " time.sleep(.1); print(open('left.txt').read()); os.unlink('left.txt')",
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
