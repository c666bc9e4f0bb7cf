"""An API on a real socket that keeps what it was sent, in threads, for clients that block."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "wk-9fK2Zq7Lw_8Xv3Tn5Rb1Yc6Md0Hp4Gs"


@dataclass(frozen=True)
class Seen:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def whole(self) -> str:
        """All of it as text, to look for what must not be there."""
        return f"{self.method} {self.path} {self.headers} {self.body!r}"


@dataclass
class Reply:
    """What to answer; `body` may come in pieces, which are sent chunked."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Generator[bytes] = b"{}"
    media_type: str = "application/json"


Handler = Callable[[Seen], Reply]


def as_json(data: Any, status: int = 200, **headers: str) -> Reply:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, pairs, json.dumps(data).encode())


class RecordingApi:
    """`routes` maps a path (without its query) to what is answered there; else 404."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.routes: dict[str, Handler] = {}
        self.url = ""

    def on(self, path: str, reply: Reply | Handler) -> None:
        self.routes[path] = reply if callable(reply) else lambda _: reply

    def answer(self, seen: Seen) -> Reply:
        handler = self.routes.get(seen.path.partition("?")[0])
        return handler(seen) if handler else as_json({}, 404)

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    @contextlib.contextmanager
    def running(self) -> Iterator[RecordingApi]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"api": self}))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    api: RecordingApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        pass

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # who hangs up is part of the tests
            super().handle_one_request()
            return
        self.close_connection = True

    def _serve(self) -> None:
        seen = Seen(self.command, self.path, dict(self.headers.items()), self._body())
        self.api.seen.append(seen)
        reply = self.api.answer(seen)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.body:
            self.send_header("Content-Type", reply.media_type)
        if isinstance(reply.body, bytes):
            self.send_header("Content-Length", str(len(reply.body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(reply.body, bytes):
            self.wfile.write(reply.body)
            return
        with contextlib.closing(reply.body) as pieces:
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_QUERY = _serve


def provider(api: RecordingApi, **settings: Any) -> dict[str, Any]:
    """Return the settings of a provider that takes a key, whose API is `api`."""
    return {
        "kind": "api_key",
        "title": "Own API",
        "origins": [api.url],
        "loopback": True,
        **settings,
    }
