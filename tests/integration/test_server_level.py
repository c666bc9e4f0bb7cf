"""The level that a kernel is told is what the server measured around that very kernel (D4)."""

from __future__ import annotations

import contextlib
import json
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from jupyter_process import REPOSITORY, TOKEN, Server, jupyter_server

from jupyter_valet.cli import lab
from jupyter_valet.sandbox.backends import Landlock, Unsuitable

ASK = """
from jupyter_valet.kernel.session import current
status = current().status()
print(status.level + "|" + status.level_words)
"""

PROFILE = REPOSITORY / "jupyter_config" / "lockdown" / "jupyter_server_config.py"
LOCKED = "import os; os.chdir('/')\n" + PROFILE.read_text()
"""The profile, started outside the project, as its documentation says."""


def _walls() -> bool:
    with contextlib.suppress(Unsuitable):
        Landlock().check()
        return True
    return False


walled = pytest.mark.skipif(not _walls(), reason="Landlock is not here")


def told(server: Server, code: str = ASK) -> str:
    """Start a kernel as JupyterLab does, run a cell in it, and return what it printed."""
    body = {"path": "a.ipynb", "name": "a", "type": "notebook", "kernel": {"name": "python3"}}
    kernel = server.api("POST", "api/sessions", body)["kernel"]["id"]
    url = f"{server.url}api/kernels/{kernel}/channels".replace("http", "ws", 1)
    channel = websocket.create_connection(url, header=[f"Authorization: token {TOKEN}"], timeout=60)
    with contextlib.closing(channel):
        message_id = uuid.uuid4().hex
        channel.send(json.dumps(_execute(message_id, code)))
        return "".join(_printed(channel, message_id))


def _execute(message_id: str, code: str) -> dict[str, Any]:
    header = {"msg_id": message_id, "msg_type": "execute_request", "session": "s", "username": "",
              "version": "5.3", "date": "2026-01-01T00:00:00Z"}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    return {"channel": "shell", "header": header, "parent_header": {}, "metadata": {},
            "content": content}  # fmt: skip


def _printed(channel: websocket.WebSocket, message_id: str) -> Iterator[str]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        message = json.loads(channel.recv())
        if message["parent_header"].get("msg_id") != message_id:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream":
            yield content["text"]
        elif kind == "error":
            yield f"{content['ename']}: {content['evalue']}"
        elif kind == "status" and content["execution_state"] == "idle":
            return


def start(home: Path, config: str) -> contextlib.AbstractContextManager[Server]:
    """As root, it is started as `jupyter valet lab` does: without CAP_SYS_PTRACE (R58)."""
    return jupyter_server(
        home,
        fake=False,
        config=config,
        environ={"PYTHONPATH": sys.path[0]},
        command=[*lab.as_lesser_root(), sys.executable, "-m", "jupyter_server"],
    )


OFF = "c.ValetExtension.sandbox = 'off'\n"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose kernels have no wall."""
    with start(tmp_path_factory.mktemp("plain"), OFF) as server:
        yield server


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the lockdown profile, whose kernels are walled."""
    with start(tmp_path_factory.mktemp("locked"), LOCKED) as server:
        yield server


def test_a_plain_kernel_is_told_what_the_broker_reaches_alone(plain: Server) -> None:
    assert told(plain).startswith("L0|")


@walled
def test_a_walled_kernel_on_a_stock_server_is_at_l2(tmp_path: Path) -> None:
    """Without any configuration; the words say what keeps it from L2+."""
    with start(tmp_path, "") as server:
        level, words = told(server).split("|")
    assert level == "L2", words
    assert "terminals are on" in words


@walled
def test_a_walled_kernel_on_a_locked_server_is_at_l2_plus(locked: Server) -> None:
    level, words = told(locked).split("|")
    assert level == "L2+", words


@walled
@pytest.mark.parametrize(
    ("loosened", "row"),
    [
        ("c.ServerApp.terminals_enabled = True\n"
         "c.ServerApp.jpserver_extensions['jupyter_server_terminals'] = True", "R74"),
        ("c.TemplateExporter.extra_template_basedirs = [c.ServerApp.root_dir]", "R90"),
        ("os.chdir(c.ServerApp.root_dir)", "R62"),
        ("c.ValetExtension.sandbox_open = ['listen:8050']", "8050"),
    ],
    ids=["terminals", "templates", "working directory", "a port"],
)  # fmt: skip
def test_one_thing_loosened_is_l2_and_the_words_say_which(
    tmp_path: Path, loosened: str, row: str
) -> None:
    """Each of these was seen to be a way around the wall."""
    with start(tmp_path, f"{LOCKED}\n{loosened}\n") as server:
        level, words = told(server).split("|")
    assert level == "L2"
    assert row in words


BROKEN = """
import jupyter_valet.sandbox.launch.landlock as landlock
landlock.abi = lambda: 1
"""


def test_where_no_wall_can_be_had_kernels_run_and_both_log_and_level_say_why(
    tmp_path: Path,
) -> None:
    """The default is no silent fallback: one line says what is missing and what to do."""
    with start(tmp_path, BROKEN) as server:
        assert "The landlock sandbox cannot be used: Landlock ABI 6" in told(server)
        assert told(server).startswith("L0|")
        assert server.log.count("Kernels run without a sandbox") == 1


def test_a_wall_that_was_chosen_by_name_is_never_left_out(tmp_path: Path) -> None:
    with start(tmp_path, BROKEN + "c.ValetExtension.sandbox = 'landlock'\n") as server:
        answer = server.call("POST", "api/kernels", {})
    assert answer.status == 503
    assert "Landlock ABI 6 (Linux 6.12) is needed" in answer.body


DOCTOR = """
%load_ext jupyter_valet
%valet doctor
"""


@walled
def test_the_doctor_in_a_walled_kernel_finds_nothing_worse_than_the_level(locked: Server) -> None:
    """R01 to R47, from the notebook itself."""
    said = told(locked, DOCTOR)
    assert "Nothing is worse than L2+ claims." in said, said
    assert "open:" not in said
    assert "seen to succeed when aimed at something of this kernel's own" in said


def test_the_doctor_in_a_plain_kernel_says_what_is_open_and_what_to_do(plain: Server) -> None:
    """L0 claims little, and the doctor says what that means."""
    said = told(plain, DOCTOR)
    assert "R47  open: connect to Jupyter's port" in said, said
    assert "do     Sandbox the kernels" in said
