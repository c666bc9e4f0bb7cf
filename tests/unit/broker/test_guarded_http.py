"""What a client without a capability can do to the broker's listener: next to nothing."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from guarded_listener import listening

from jupyter_valet.broker import descriptors
from jupyter_valet.broker.http import guarded as guarded_http

GET = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Say how long the body was; `/slow` takes its time over it."""
    size = 0
    if scope["path"] == "/own":
        scope[guarded_http.OWN_PACE] = True
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    if scope["path"] == "/slow":
        await anyio.sleep(0.5)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def said(stream: anyio.abc.ByteStream) -> bytes:
    """Return what the server says until it closes the connection."""
    heard = b""
    with anyio.fail_after(20):
        try:
            while True:
                heard += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return heard


async def push(stream: anyio.abc.ByteStream, piece: bytes, times: int) -> int:
    """Send until the server has had enough; return how many bytes it took."""
    sent = 0
    with anyio.fail_after(10):
        for _ in range(times):
            try:
                await stream.send(piece)
            except anyio.BrokenResourceError:
                break
            sent += len(piece)
    return sent


@pytest.mark.anyio
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(GET + b"X-Endless: ", id="one header"),
        pytest.param(b"GET /", id="the path"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
            id="a trailer",
        ),
    ],
)
async def test_a_head_without_an_end_does_not_fill_the_memory(start: bytes) -> None:
    """R129's neighbour: the parser keeps a header until its end, before any capability is seen."""
    async with (
        listening(answer) as (_, port),
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await stream.send(start)
        assert await push(stream, b"a" * 65536, 400) < 400 * 65536


@pytest.mark.anyio
async def test_many_headers_do_not_fill_the_memory() -> None:
    """The same with headers that do end."""
    async with (
        listening(answer) as (_, port),
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await stream.send(GET)
        assert await push(stream, b"X-A: b\r\n" * 8192, 400) < 400 * 65536


@pytest.mark.anyio
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"", id="nothing at all"),
        pytest.param(GET, id="half a head"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12", id="half a body"),
    ],
)
async def test_a_client_that_dawdles_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """Slow-loris: each such connection costs a descriptor that the vault may need."""
    monkeypatch.setattr(guarded_http, "SECONDS", 0.1)
    async with (
        listening(answer) as (_, port),
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        if start:
            await stream.send(start)
        assert await said(stream) == b""


@pytest.mark.anyio
async def test_a_client_that_waits_for_its_answer_is_not_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long poll is the broker's patience, not the client's."""
    monkeypatch.setattr(guarded_http, "SECONDS", 0.1)
    async with (
        listening(answer) as (_, port),
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await stream.send(GET.replace(b"/ ", b"/slow ") + b"Connection: close\r\n\r\n")
        assert (await said(stream)).endswith(b"\r\n\r\n0")


@pytest.mark.anyio
async def test_who_reads_a_body_may_have_limits_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once a capability was shown, a body may take as long as upstream does to take it."""
    monkeypatch.setattr(guarded_http, "SECONDS", 0.1)
    async with (
        listening(answer) as (_, port),
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        head = b"POST /own HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        for piece in (head, b"1", b"2"):
            await stream.send(piece)
            await anyio.sleep(0.25)
        assert (await said(stream)).endswith(b"\r\n\r\n2")


@pytest.mark.anyio
async def test_a_long_body_and_many_requests_on_a_connection_are_fine() -> None:
    """The limit is for what is not body, and for each request anew."""
    body = b"x" * 300_000
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n"
    async with (
        listening(answer) as (_, port),
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        for last in (b"", b"", b"Connection: close\r\n"):
            await stream.send(head + b"X-Padding: " + b"p" * 30_000 + b"\r\n" + last + b"\r\n")
            await stream.send(body)
        assert (await said(stream)).count(b"300000") == 3


@pytest.mark.anyio
async def test_one_connection_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors are for the vault and the providers as well."""
    monkeypatch.setattr(descriptors, "CONNECTIONS", 2)
    async with (
        listening(answer) as (server, port),
        await anyio.connect_tcp("127.0.0.1", port),
        await anyio.connect_tcp("127.0.0.1", port),
        await anyio.connect_tcp("127.0.0.1", port) as third,
    ):
        assert await said(third) == b""
        assert len(server.server_state.connections) == 2
