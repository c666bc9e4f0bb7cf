"""What the client of the forwarded endpoint reads when the broker's answer breaks off."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from tornado import web

from jupyter_valet.server.mcp.forwarding import Forwarding
from jupyter_valet.server.mcp.handler import McpHandler
from jupyter_valet.wire.clients import Arrival

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_half_an_answer_is_no_part_of_the_error_that_takes_its_place() -> None:
    """Small answers are kept until they are whole: what had come must not precede the error."""

    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"Mcp-Session-Id: s1\r\n\r\n" + b'{"half":')
        await writer.drain()
        writer.close()

    broker = await asyncio.start_server(breaks_off, "127.0.0.1", 0)
    forwarding = Forwarding("secret")
    port = broker.sockets[0].getsockname()[1]

    async def ensure() -> None:
        pass

    class Handler(McpHandler):
        valet: Any = SimpleNamespace(
            supervisor=SimpleNamespace(ensure=ensure, url=f"http://127.0.0.1:{port}"),
            forwarding=forwarding,
        )

        def initialize(self) -> None:
            """Take no extension."""

        async def prepare(self) -> None:
            self._body, self._work = bytearray(), None

        async def _arrival(self) -> Arrival:
            return Arrival("http://x/", "http://x/valet/mcp", "http://x/m")

    served = web.Application([("/mcp", Handler)], log_function=lambda handler: None).listen(
        0, "127.0.0.1"
    )
    here = next(iter(served._sockets.values())).getsockname()[1]
    try:
        async with httpx2.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{here}/mcp")
    finally:
        served.stop()
        await forwarding.close()
        broker.close()
    assert answer.status_code == 503
    assert json.loads(answer.content)["error"]["code"] == "broker_unreachable"
    assert "mcp-session-id" not in answer.headers
