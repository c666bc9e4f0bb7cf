"""A throw-away Jupyter server, started as the person starts theirs, and spoken to as they do."""

from __future__ import annotations

import contextlib
import html
import importlib.util
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ..cli import lab
from ..wire.errors import ValetError

_START_SECONDS = 90.0
_LOADED = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
}
_POSTED = {**_LOADED, "Sec-Fetch-Site": "cross-site", "Origin": "null"}
"""What a browser says of a form of the isolated page. The doctor is the person here, and the vault
is its own."""


@dataclass(frozen=True)
class Plan:
    """What to start: where its folders are, and how."""

    root: Path
    state: Path
    runtime: Path
    log: Path
    key_source: str
    locked_down: bool
    variables: Mapping[str, str] = field(default_factory=dict)
    more: Sequence[str] = ()
    """Arguments for Jupyter, after ours."""


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    base: str
    token: str

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Send a request with the person's token; return status and body."""
        if isinstance(body, dict):
            data, kind = json.dumps(body).encode(), "application/json"
        else:
            data, kind = body, "application/x-www-form-urlencoded"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{self.base}{path}",
            data,
            {"Authorization": f"token {self.token}", "Content-Type": kind, **(headers or {})},
            method=method,
        )
        try:
            with _opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")

    def socket(self, path: str, seconds: float = 60) -> Any:
        """Open a WebSocket with the person's token. Raises `OSError`."""
        import websocket

        url = f"ws://127.0.0.1:{self.port}{self.base}{path}"
        header = [f"Authorization: token {self.token}"]
        try:
            return websocket.create_connection(url, header=header, timeout=seconds)
        except websocket.WebSocketException as error:
            raise OSError(f"no answer at {path} ({type(error).__name__})") from None

    def start_kernel(self, path: str) -> Kernel:
        """Start a kernel for a notebook, as a front end does. Raises `ValetError`."""
        body = {"path": path, "name": path, "type": "notebook", "kernel": {}}
        status, text = self.call("POST", "api/sessions", body)
        if status != 201:
            raise ValetError("doctor_failed", what=f"no kernel starts ({status}): {_message(text)}")
        return Kernel(self, str(json.loads(text)["kernel"]["id"]))

    def unlock(self, passphrase: str) -> None:
        """Type the passphrase of the throw-away vault, if it asks for one."""
        _, page = self.call("GET", "valet/unlock", headers=_LOADED)
        form = re.search(r'<form[^>]*action="([^"]+)"', page)
        if 'name="passphrase"' not in page or form is None:
            return
        path = html.unescape(form[1]).removeprefix(self.base)
        self.call("POST", path, urlencode({"passphrase": passphrase}).encode(), _POSTED)


@dataclass
class Kernel:
    """One kernel of the server."""

    server: Server
    id: str

    def run(self, code: str, seconds: float = 60) -> str:
        """Run a cell; return what it printed. Raises `OSError` when no answer comes."""
        import websocket

        channel = self.server.socket(f"api/kernels/{self.id}/channels", seconds)
        try:
            with contextlib.closing(channel):
                message_id = uuid.uuid4().hex
                channel.send(json.dumps(_request(message_id, code)))
                return "".join(_printed(channel, message_id, time.monotonic() + seconds))
        except websocket.WebSocketException as error:
            raise OSError(f"the kernel does not answer ({type(error).__name__})") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Return the redirection itself."""


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def _request(message_id: str, code: str) -> dict[str, Any]:
    header = {"msg_id": message_id, "msg_type": "execute_request", "session": "doctor",
              "username": "", "version": "5.3", "date": "2026-01-01T00:00:00Z"}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    return {"channel": "shell", "header": header, "parent_header": {}, "metadata": {},
            "content": content}  # fmt: skip


def _printed(channel: Any, message_id: str, deadline: float) -> Iterator[str]:
    while time.monotonic() < deadline:
        message = json.loads(channel.recv())
        if message.get("parent_header", {}).get("msg_id") != message_id:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream" and content["name"] == "stdout":
            yield content["text"]
        elif kind == "status" and content["execution_state"] == "idle":
            return
    raise OSError("the cell did not end")


@contextlib.contextmanager
def running(plan: Plan) -> Iterator[Server]:
    """Run the server until the block ends. Raises `ValetError` when it does not start."""
    token = secrets.token_urlsafe(24)
    with plan.log.open("wb") as log:
        process = subprocess.Popen(
            _command(plan),
            cwd=plan.log.parent if plan.locked_down else plan.root,
            env=_environ(plan, token),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        port, base = _wait(process, plan)
        yield Server(process, port, base, token)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(plan: Plan) -> list[str]:
    module = "jupyterlab" if importlib.util.find_spec("jupyterlab") else "jupyter_server"
    ours = [
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        "--ServerApp.certfile=",
        "--ServerApp.keyfile=",
        f"--ValetExtension.state_dir={plan.state}",
        f"--ValetExtension.key_source={plan.key_source}",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        *plan.more,
    ]
    if plan.locked_down:
        return lab.command(module, plan.root, ours)
    ours.insert(0, "--ServerApp.jpserver_extensions=jupyter_valet=True")
    return [sys.executable, "-m", module, f"--ServerApp.root_dir={plan.root}", *ours]


def _environ(plan: Plan, token: str) -> dict[str, str]:
    around = lab.environ(os.environ) if plan.locked_down else dict(os.environ)
    ours = {"JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(plan.runtime)}
    return {**around, **ours, **plan.variables}


def _wait(process: subprocess.Popen[bytes], plan: Plan) -> tuple[int, str]:
    file = plan.runtime / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            facts = json.loads(file.read_text())
            port = int(facts["port"])
            # The file is there a moment before the server takes connections.
            socket.create_connection(("127.0.0.1", port), 5).close()
            return port, str(facts["base_url"])
        time.sleep(0.05)
    said = plan.log.read_text(errors="replace").strip().splitlines()
    raise ValetError("doctor_failed", what=f"Jupyter did not start: {(said or ['?'])[-1][:300]}")


def _message(text: str) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(text).get("message", ""))[:300]
    return ""
