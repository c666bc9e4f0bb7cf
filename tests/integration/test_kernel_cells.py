"""Real kernels, driven as front ends drive them: blocked cells, clicks, Interrupt, runners."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from kernel_broker import FakeBroker

WIDGET = "application/vnd.jupyter.widget-view+json"
CALL = "tools.demo.list_issues('a/b')"
AWAIT = "await tools.demo.list_issues.aio('a/b')"
pytestmark = [
    pytest.mark.filterwarnings("ignore:Kernel is running over TCP:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Cell:
    """What a front end sees of one cell."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.comms: dict[str, dict[str, Any]] = {}
        self.closed: set[str] = set()
        self.seconds = 0.0

    def take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        self.messages.append((kind, content))
        if kind == "comm_open":
            self.comms[content["comm_id"]] = dict(content["data"]["state"])
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            self.comms[content["comm_id"]].update(content["data"]["state"])
        elif kind == "comm_close":
            self.closed.add(content["comm_id"])

    def displays(self) -> list[dict[str, Any]]:
        kinds = ("display_data", "update_display_data")
        return [c["data"] for k, c in self.messages if k in kinds]

    def result(self) -> str:
        return "".join(c["data"]["text/plain"] for k, c in self.messages if k == "execute_result")

    def error(self) -> dict[str, Any]:
        return next((c for k, c in self.messages if k == "error"), {})

    def button(self, label: str) -> str | None:
        states = list(self.comms.items())
        return next((id_ for id_, s in states if s.get("description") == label), None)


class Kernel:
    """One running kernel."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client
        self._subshell: str | None = None

    def run(
        self,
        code: str,
        *,
        meanwhile: Callable[[Cell], None] | None = None,
        allow_stdin: bool = True,
        timeout: float = 40,
    ) -> Cell:
        cell = Cell()
        begin = time.monotonic()
        id_ = self.client.execute(code, allow_stdin=allow_stdin)
        if meanwhile is not None:
            threading.Thread(target=meanwhile, args=(cell,), daemon=True).start()
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            cell.take(message)
            if message["parent_header"].get("msg_id") != id_ or message["msg_type"] != "status":
                continue
            if message["content"]["execution_state"] == "idle":
                cell.seconds = time.monotonic() - begin
                return cell

    def click(self, cell: Cell, label: str) -> None:
        """Press a button, over a subshell as JupyterLab does."""
        deadline = time.monotonic() + 20
        while (comm := cell.button(label)) is None:
            assert time.monotonic() < deadline, "no such button"
            time.sleep(0.02)
        time.sleep(0.3)
        content = {"comm_id": comm, "data": {"method": "custom", "content": {"event": "click"}}}
        message = self.client.session.msg("comm_msg", content)
        message["header"]["subshell_id"] = self.subshell()
        self.client.shell_channel.send(message)

    def subshell(self) -> str:
        if self._subshell is None:
            message = self.client.session.msg("create_subshell_request", {})
            self.client.control_channel.send(message)
            self._subshell = self.client.get_control_msg(timeout=20)["content"]["subshell_id"]
        return self._subshell


@contextmanager
def kernel_with(environ: dict[str, str]) -> Iterator[Kernel]:
    env = {**os.environ, **environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    manager, client = start_new_kernel(env=env, startup_timeout=120)
    try:
        kernel = Kernel(manager, client)
        kernel.run("%load_ext jupyter_valet")
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Kernel, FakeBroker]]:
    broker = FakeBroker()
    with kernel_with(broker.environ) as kernel:
        yield kernel, broker
    broker.close()
    assert broker.problems == []


@pytest.fixture
def kernel(shared: tuple[Kernel, FakeBroker]) -> Kernel:
    return shared[0]


@pytest.fixture
def broker(shared: tuple[Kernel, FakeBroker]) -> FakeBroker:
    found = shared[1]
    found.connected = False
    found.ended.clear()
    found.transactions.clear()
    found.ids.clear()  # each process counts by itself
    return found


BOTH = pytest.mark.parametrize("code", [CALL, AWAIT], ids=["sync", "await"])


@BOTH
def test_the_call_finishes_in_the_cell_that_asked(
    kernel: Kernel, broker: FakeBroker, code: str
) -> None:
    """The main flow; the card is live while the cell runs."""
    broker.person("opened", "at_provider", "done", pause=0.2)
    cell = kernel.run(code)
    assert "First" in cell.result()
    first, last = cell.displays()[0], cell.displays()[-1]
    assert {WIDGET, "text/html", "text/plain"} <= set(first)
    assert "valet/connect" in first["text/html"]
    assert "valet/connect" in first["text/plain"]
    assert "Signed in to Demo Provider as jane" in last["text/html"]
    said = [c["data"]["state"].get("value", "") for k, c in cell.messages if k == "comm_msg"]
    assert any("page is open" in words for words in said)
    assert any("at Demo Provider" in words for words in said)


@BOTH
def test_the_saved_notebook_keeps_no_live_link(
    kernel: Kernel, broker: FakeBroker, code: str
) -> None:
    """Not in the HTML, not in the text, not in the state of any widget."""
    broker.person("done", pause=0.2)
    cell = kernel.run(code)
    last = cell.displays()[-1]
    assert WIDGET not in last
    assert "valet/connect" not in json.dumps(last)
    assert set(cell.comms) == cell.closed
    assert "valet/connect" not in json.dumps(cell.comms)


@BOTH
def test_decline_reaches_a_cell_that_blocks(kernel: Kernel, broker: FakeBroker, code: str) -> None:
    """EC-05, EC-18: ipykernel 7.4.0 routes clicks to the blocked shell unless told otherwise."""
    cell = kernel.run(code, meanwhile=lambda c: kernel.click(c, "Decline"))
    assert cell.error()["ename"] == "ValetError"
    assert "declined" in cell.error()["evalue"]
    assert len(cell.error()["traceback"]) == 1
    assert [action for _, action in broker.ended] == ["decline"]
    assert "Declined" in cell.displays()[-1]["text/plain"]
    assert cell.seconds < 10


@BOTH
def test_interrupt_leaves_nothing_pending(kernel: Kernel, broker: FakeBroker, code: str) -> None:
    """EC-10: it cancels at the broker and closes the card, at once."""

    def interrupt(cell: Cell) -> None:
        broker.pending()
        time.sleep(0.5)
        kernel.manager.interrupt_kernel()

    cell = kernel.run(code, meanwhile=interrupt)
    assert cell.error()["ename"] in ("Interrupted", "CancelledError")
    if cell.error()["ename"] == "Interrupted":
        assert len(cell.error()["traceback"]) == 1
    assert [action for _, action in broker.ended] == ["cancel"]
    last = cell.displays()[-1]
    assert WIDGET not in last
    assert "href" not in last["text/html"]
    assert set(cell.comms) == cell.closed
    assert cell.seconds < 10
    broker.person("done")
    assert "First" in kernel.run(code).result()


def test_an_expired_card_offers_another_try(kernel: Kernel, broker: FakeBroker) -> None:
    """*Try again* asks anew in the same cell."""
    done = threading.Event()

    def person(cell: Cell) -> None:
        broker.move(broker.pending().id, "expired")
        kernel.click(cell, "Try again")
        broker.move(broker.pending().id, "done", account="jane")
        done.set()

    cell = kernel.run(CALL, meanwhile=person)
    assert done.is_set()
    assert "First" in cell.result()
    assert len(broker.transactions) == 2


def test_the_kernel_stays_free_under_await(kernel: Kernel, broker: FakeBroker) -> None:
    """Other tasks of the notebook run on while the person signs in."""
    broker.person("done", pause=0.5)
    code = (
        "import asyncio\nticks = 0\n"
        "async def tick():\n    global ticks\n    while True:\n"
        "        await asyncio.sleep(0.01)\n        ticks += 1\n"
        f"task = asyncio.create_task(tick())\n_ = {AWAIT}\ntask.cancel()\nticks"
    )
    assert int(kernel.run(code).result()) > 10


def test_connect_waits_in_its_cell(kernel: Kernel, broker: FakeBroker) -> None:
    """`%connect`."""
    broker.person("done", pause=0.2)
    cell = kernel.run("%connect demo")
    assert cell.error() == {}
    assert "Signed in" in cell.displays()[-1]["text/plain"]


def test_nobody_is_waited_for_in_an_unattended_run(kernel: Kernel, broker: FakeBroker) -> None:
    """No stdin means that nobody is here: one line, nothing pending, no card."""
    cell = kernel.run(CALL, allow_stdin=False)
    assert "nobody is here" in cell.error()["evalue"]
    assert "%connect demo" in cell.error()["evalue"]
    assert [action for _, action in broker.ended] == ["cancel"]
    assert cell.displays() == []
    assert cell.seconds < 5


def test_a_restarted_kernel_works_with_its_new_capability(broker: FakeBroker) -> None:
    """The old one is worth nothing; nothing of it is kept in the notebook."""
    with kernel_with({**broker.environ, "JUPYTER_VALET_CAPABILITY": "jvk_" + "x" * 43}) as old:
        cell = old.run(CALL)
        assert "Restart the kernel" in cell.error()["evalue"]


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """The two cells of an unattended run."""
    cells = [nbformat.v4.new_code_cell(c) for c in ("%load_ext jupyter_valet", CALL)]
    path = tmp_path / "a.ipynb"
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    nbformat.write(made, path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        [
            "jupyter",
            "nbconvert",
            "--to",
            "notebook",
            "--execute",
            "a.ipynb",
            "--output",
            "out.ipynb",
        ],
        ["papermill", "a.ipynb", "out.ipynb", "--no-progress-bar"],
    ],
    ids=["nbconvert", "papermill"],
)
def test_unattended_runners_fail_at_once(
    broker: FakeBroker, notebook: Path, command: list[str]
) -> None:
    """nbclient, nbconvert and papermill: with what to do, instead of hanging for ten minutes."""
    program = str(Path(sys.executable).with_name(command[0]))
    env = {**os.environ, **broker.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [program, *command[1:]],
        cwd=notebook.parent,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "nobody is here" in done.stderr
    assert "%connect demo" in done.stderr
    assert [action for _, action in broker.ended] == ["cancel"]
    saved = notebook.parent / "out.ipynb"
    assert not saved.exists() or "valet/connect" not in saved.read_text()


def test_a_script_that_a_kernel_starts_finds_the_broker(broker: FakeBroker) -> None:
    """The environment is enough; the URL is printed as text."""
    broker.person("done", pause=0.2)
    script = "from jupyter_valet import tools\nprint(len(tools.demo.list_issues('a/b')))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **broker.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "2\n"
    assert "/valet/connect/" in done.stderr


def test_ipython_in_a_terminal_prints_the_address(broker: FakeBroker, tmp_path: Path) -> None:
    """No kernel, no card: text and a wait."""
    broker.person("done", pause=0.2)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "IPython",
            "--no-banner",
            "--colors=nocolor",
            "-c",
            f"%load_ext jupyter_valet\nprint(len({CALL}))",
        ],
        env={
            **os.environ,
            **broker.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "IPYTHONDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stdout.endswith("2\n"), done.stdout + done.stderr
    assert "/valet/connect/" in done.stderr
