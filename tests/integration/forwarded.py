"""The MCP endpoint on a Tornado server of its own, between a raw client and a scripted broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from jupyter_server.auth import AllowAllAuthorizer, IdentityProvider
from tornado import web
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import PathMatches, Router, Rule

from jupyter_valet.server.mcp.endpoint import Endpoint
from jupyter_valet.server.mcp.forwarding import Forwarding
from jupyter_valet.server.origin import Origins
from jupyter_valet.server.services import Services

TOKEN = "a-jupyter-token"

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\ndone"

Script = Callable[["Heard", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Heard:
    """One request as the broker got it."""

    head: str
    body: bytes
    reader: asyncio.StreamReader = field(repr=False)

    def header(self, name: str) -> str:
        """Return a header's value, empty when it is not there."""
        lines = (line.partition(": ") for line in self.head.split("\r\n"))
        return next((value for n, _, value in lines if n.lower() == name), "")


@dataclass
class World:
    """What the broker does next, what it heard, and what the access log says."""

    port: int = 0
    script: Script | None = None
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    logged: list[tuple[int, str, str]] = field(default_factory=list)
    users: list[Any] = field(default_factory=list)
    """Whose requests those in `logged` were."""
    provider: IdentityProvider = field(default_factory=lambda: IdentityProvider(token=TOKEN))
    settings: dict[str, Any] = field(default_factory=dict)
    """Tornado's, where Jupyter keeps who decides."""

    async def broker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other, as scripted."""
        self.connections += 1
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                heard = Heard(head, b"", reader)
                heard.body = await reader.readexactly(int(heard.header("content-length") or 0))
                self.heard.append(heard)
                if self.script is None:
                    writer.write(OK)
                else:
                    await self.script(heard, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def log(self, handler: web.RequestHandler) -> None:
        """Take note as Jupyter's access log does."""
        request = handler.request
        self.logged.append((handler.get_status(), str(request.method), str(request.uri)))
        self.users.append(handler.current_user)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Yield a connection to the endpoint."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(self.port, reader, writer)
        finally:
            writer.close()


@dataclass
class Client:
    """Speaks byte by byte."""

    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def head(self, method: str = "POST", *lines: str, token: str = TOKEN) -> bytes:
        """Return a request's head with these lines besides."""
        usual = [f"Host: 127.0.0.1:{self.port}", f"Authorization: Bearer {token}"]
        return "\r\n".join([f"{method} /valet/mcp HTTP/1.1", *usual, *lines, "", ""]).encode()

    def post(self, body: bytes = b"{}", *lines: str, token: str = TOKEN) -> bytes:
        """Return a whole request."""
        return self.head("POST", f"Content-Length: {len(body)}", *lines, token=token) + body

    async def answer(self, *, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Read an answer that says how long it is."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        length = int(headers["content-length"]) if body else 0
        return int(first.split(" ")[1]), headers, await self.reader.readexactly(length)

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request and read its answer."""
        self.writer.write(request)
        return await self.answer()


class _Door(Router):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate:
        return self._endpoint.passage(request)


@asynccontextmanager
async def forwarded() -> AsyncIterator[World]:
    """Serve the endpoint until the block ends."""
    world = World()
    broker = await asyncio.start_server(world.broker, "127.0.0.1", 0)

    async def ensure() -> None:
        pass

    services = SimpleNamespace(
        supervisor=SimpleNamespace(ensure=ensure, port=broker.sockets[0].getsockname()[1]),
        forwarding=Forwarding("jvd_secret"),
        origins=Origins("/", "", lambda: "http://127.0.0.1:8888/"),
        settings=SimpleNamespace(mcp_issuers={}),
    )
    application = web.Application(
        identity_provider=world.provider,
        authorizer=AllowAllAuthorizer(),
        cookie_secret="no cookie counts",
        last_activity_times={},
        log_function=world.log,
    )
    world.settings = application.settings
    endpoint = Endpoint(application, cast("Services", services))
    application.add_handlers(".*$", [Rule(PathMatches("/valet/mcp$"), _Door(endpoint))])
    server = application.listen(0, "127.0.0.1")
    world.port = next(iter(server._sockets.values())).getsockname()[1]
    try:
        yield world
    finally:
        server.stop()
        await server.close_all_connections()
        services.forwarding.close()
        broker.close()
