"""Requests at the broker's listener that two readers could read in two ways (R129, R135)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from guarded_listener import listening

pytestmark = pytest.mark.anyio


async def answer(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    body = repr((scope["path"], scope["headers"])).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with listening(answer) as (_, port):
        yield port


async def said(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    with anyio.fail_after(20):
        heard = await reader.read()
    writer.close()
    return heard


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", id="R135 version"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", id="R135 folded line"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer x\r\n\r\n", id="R135 space"
        ),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", id="R135 bare line feeds"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", id="R135 NUL"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
            id="R129 both lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
            id="R129 two lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            id="R129 another coding",
        ),
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused(port: int, request_: bytes) -> None:
    """R129, R135: one answer, 400, and the end of the connection."""
    heard = await said(port, request_)
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert heard.count(b"HTTP/1.1 ") == 1
    assert b"smuggled" not in heard


async def test_http_0_9_carries_no_capability(port: int) -> None:
    """R135: it has no headers, so the listener knows nobody by it; and it ends the connection."""
    heard = await said(port, b"GET /status\r\n\r\n")
    assert heard.endswith(b"('/status', [])")
