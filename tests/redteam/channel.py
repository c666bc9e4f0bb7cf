"""Code in a kernel of a Jupyter server, run over the server's own REST and WebSocket API."""

from __future__ import annotations

import contextlib
import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import websocket
from jupyter_process import TOKEN, Server

ATTACKS = Path(__file__).parent / "attacks"
_MARK = "@red@"

_RUN = """
import json as _json, types as _types
def _run(source, name, target):
    module = _types.ModuleType("attack")
    exec(compile(source, "attack", "exec"), module.__dict__)
    try:
        return ["got", getattr(module, name)(target) or ""]
    except BaseException as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return ["raised", kinds, str(error)[:400]]
print({mark!r} + _json.dumps(_run({source!r}, {name!r}, _json.loads({target!r}))) + {mark!r})
"""


@dataclass(frozen=True)
class Got:
    """What an attack returned, or which wall it met."""

    text: str = ""
    kinds: tuple[str, ...] = ()
    """The exception's class and its bases; empty when the attack returned."""


def program(name: str, target: dict[str, Any]) -> str:
    """Return the code that runs the attack `module:function` against `target` and prints."""
    module, _, function = name.partition(":")
    source = (ATTACKS / f"{module}.py").read_text()
    return _RUN.format(mark=_MARK, source=source, name=function, target=json.dumps(target))


def read(printed: str) -> Got:
    """Return what a `program` printed."""
    said = printed.partition(_MARK)[2].rpartition(_MARK)[0]  # what was overheard may have marks
    try:
        answer = json.loads(said)
    except ValueError:
        return Got(f"the attack's kernel said nothing: {printed[-300:]}", ("Died",))
    if answer[0] == "got":
        return Got(answer[1])
    return Got(f"{answer[1][0]}: {answer[2]}", tuple(answer[1]))


class Kernel:
    """One kernel of the server."""

    def __init__(self, server: Server, kernel_id: str) -> None:
        self.server = server
        self.id = kernel_id

    @cached_property
    def capability(self) -> str:
        """What the kernel holds; the worst that another kernel may know of it."""
        code = "import os; print('@' + os.environ['JUPYTER_VALET_CAPABILITY'] + '@')"
        said = self.run(code)  # its threads may print in between
        found = re.search(r"@(jvk_[\w-]+)@", said)
        if found is None:
            raise RuntimeError(f"a kernel holds no capability: {said[-200:]}")
        return found[1]

    @cached_property
    def pid(self) -> int:
        """The innermost process that holds the kernel's capability, as seen from outside."""
        wanted, found = self.capability.encode(), 0
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if wanted in (entry / "environ").read_bytes():
                        found = max(found, int(entry.name))
        return found

    def run(self, code: str, seconds: float = 90) -> str:
        """Run a cell; return what it printed, or the traceback's last line."""
        url = f"{self.server.url}api/kernels/{self.id}/channels".replace("http", "ws", 1)
        channel = websocket.create_connection(
            url, header=[f"Authorization: token {TOKEN}"], timeout=seconds
        )
        with contextlib.closing(channel):
            message_id = uuid.uuid4().hex
            channel.send(json.dumps(_request(message_id, code)))
            return "".join(_printed(channel, message_id, time.monotonic() + seconds))

    def attack(self, name: str, target: dict[str, Any]) -> Got:
        """Run the attack `module:function` in this kernel."""
        try:
            return read(self.run(program(name, target)))
        except (OSError, websocket.WebSocketException) as error:
            return Got(f"the kernel did not answer: {error}", ("Died",))


def start(server: Server, path: str) -> Kernel:
    """Start a kernel for the notebook `path`, as JupyterLab does; wait until it answers."""
    body = {"path": path, "name": Path(path).name, "type": "notebook", "kernel": {}}
    kernel = Kernel(server, str(server.api("POST", "api/sessions", body)["kernel"]["id"]))
    kernel.run("1", 60)
    return kernel


def _request(message_id: str, code: str) -> dict[str, Any]:
    header = {
        "msg_id": message_id,
        "msg_type": "execute_request",
        "session": "redteam",
        "username": "redteam",
        "version": "5.3",
        "date": "2026-01-01T00:00:00Z",
    }
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    return {
        "channel": "shell",
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
    }


def _printed(channel: Any, message_id: str, deadline: float) -> Iterator[str]:
    idle = replied = False
    while not (idle and replied):
        if time.monotonic() > deadline:
            raise TimeoutError("the cell did not end")
        message = json.loads(channel.recv())
        if message.get("parent_header", {}).get("msg_id") != message_id:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream" and content["name"] == "stdout":
            yield content["text"]
        elif kind == "error":
            yield f"{content['ename']}: {content['evalue']}"
        elif kind == "execute_reply":
            replied = True
        elif kind == "status" and content["execution_state"] == "idle":
            idle = True
