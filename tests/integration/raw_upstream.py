"""An upstream that says exactly the bytes that a test wrote, and keeps the bytes that it got."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from jupyter_valet.broker.egress import Request
from jupyter_valet.broker.egress.origin import Origin

Said = bytes | Callable[[bytes], bytes]


@dataclass
class RawUpstream:
    """`answers` are given in turn, the last one again and again; `after` follows a while later."""

    answers: list[Said]
    after: bytes = b""
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def origin(self) -> Origin:
        return Origin.parse(f"http://127.0.0.1:{self.port}")

    def request(self, target: str = "/", method: str = "GET", **headers: str) -> Request:
        return Request(method, self.origin, target, headers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                self.requests.append(head)
                answer = said(head) if callable(said) else said
                writer.write(answer)
                await writer.drain()
                if self.after:
                    await asyncio.sleep(0.05)
                    writer.write(self.after)
                    await writer.drain()
                if b"connection: close" in answer.lower() or not answer.startswith(b"HTTP/1.1"):
                    break
        writer.close()


@contextlib.asynccontextmanager
async def raw_upstream(*answers: Said, after: bytes = b"") -> AsyncIterator[RawUpstream]:
    upstream = RawUpstream(list(answers), after)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
