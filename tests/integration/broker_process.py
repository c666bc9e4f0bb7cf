"""A real broker process, driven over its control channel as the Jupyter extension does it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path
from typing import Any, Self

from broker_forks import POSSIBLE, Fork

from jupyter_valet.wire import capability

ORIGIN = "http://127.0.0.1:8888/"


class ControlError(Exception):
    """The broker answered a control request with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]


class BrokerProcess:
    """Start, ask, kill. The listening socket outlives the process, as in the product."""

    def __init__(
        self, state_dir: Path, listener: socket.socket | None = None, **start: Any
    ) -> None:
        self.state_dir = state_dir
        self._owns_listener = listener is None
        self.listener = listener or _listener()
        self.start_params = {
            "state_dir": str(state_dir),
            "origin": ORIGIN,
            "listen_fd": self.listener.fileno(),
            "key_source": "file",
            **start,
        }
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._ids = itertools.count(1)
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self.stderr: list[str] = []

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def _environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.state_dir.parent)}

    def _start(self) -> subprocess.Popen[bytes] | Fork:
        return subprocess.Popen(
            [sys.executable, "-I", "-m", "jupyter_valet.broker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[self.listener.fileno()],
            cwd="/",
            env=self._environ,
        )

    def __enter__(self) -> Self:
        self.process = self._start()
        self._readers = [threading.Thread(target=f) for f in (self._read, self._read_stderr)]
        for reader in self._readers:
            reader.start()
        self.started = self.call("start", **self.start_params)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        for reader in self._readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        if self._owns_listener:
            self.listener.close()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            message = json.loads(line)
            if "event" in message:
                self.events.put(message)
            else:
                self._answers[message["id"]].put(message)

    def _read_stderr(self) -> None:
        assert self.process.stderr
        self.stderr.extend(line.decode() for line in self.process.stderr)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one control request and return its result."""
        request_id = next(self._ids)
        self._answers[request_id] = queue.Queue()
        assert self.process.stdin
        line = json.dumps({"id": request_id, "method": method, "params": params}) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        message = self._answers[request_id].get(timeout=30)
        if "error" in message:
            raise ControlError(message["error"])
        return dict(message["result"])

    def kernel(
        self,
        kernel_id: str = "k1",
        principal: str = "owner",
        notebook: str = "a.ipynb",
        **facts: Any,
    ) -> Kernel:
        """Declare a kernel, as the provisioner does, and return its side."""
        token = capability.mint()
        self.call(
            "capability.register",
            digest=capability.digest(token),
            kernel_id=kernel_id,
            principal=principal,
            notebook=notebook,
            origin=ORIGIN,
            **facts,
        )
        return Kernel(self.port, token)


class BrokerFork(BrokerProcess):
    """The same, forked from a process that has loaded the broker's modules: it is there at once."""

    def _start(self) -> subprocess.Popen[bytes] | Fork:
        return Fork(self._environ, self.listener.fileno()) if POSSIBLE else super()._start()


class Kernel:
    """What a kernel can do: HTTP with its capability."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token

    def request(
        self, method: str, path: str, body: Any = None, timeout: float = 40, **headers: str
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={
                    "Authorization": f"Bearer {self.token}",
                    "Content-Type": "application/json",
                    "Accept": "application/json, text/event-stream",
                    **headers,
                },
            )
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text[:1] in (b"{", b"[") else text
        finally:
            connection.close()

    def call_tool(self, name: str, arguments: dict[str, Any], **more: Any) -> Any:
        """One leg of MCP `tools/call`, revision 2026-07-28."""
        return self.call_tool_for(40, name, arguments, **more)

    def call_tool_for(
        self, seconds: float, name: str, arguments: dict[str, Any], **more: Any
    ) -> Any:
        """The same by a client that hangs up after `seconds`."""
        params = {
            "name": name,
            "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
            },
            **more,
        }
        headers = {
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": name,
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return self.request("POST", "/mcp", message, seconds, **headers)


def page_request(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """GET a provider's page without following redirects."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def _listener() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    listener.set_inheritable(True)
    return listener
