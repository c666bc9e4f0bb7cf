"""The connections of tools' calls: when one is used again, and when a request is sent twice."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from certificates import certificate
from raw_upstream import RawUpstream, raw_upstream

from jupyter_valet.broker.egress import Egress, Request, Response, Terms
from jupyter_valet.broker.egress import lines as lines_module
from jupyter_valet.broker.egress.dial import Destination
from jupyter_valet.broker.egress.line import Line, Lost
from jupyter_valet.broker.egress.lines import Lines
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.secret import Secret
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    egress = Egress(timeout=15)
    yield egress
    await egress.close()


def idle(lines: Lines) -> list[Line]:
    return [line for place in lines._places.values() for line in place.idle]


async def ask(egress: Egress, request: Request, who: str = "jane/k1") -> Response:
    return await egress.send(request, Secret("t" * 20), Terms(who, loopback=True, provider="X"))


class Fickle:
    """A server that closes its connection after `answers`, or before it has answered any more."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in self.answers.pop(0).split(b"|"):
            head = await reader.read(65536)
            if not head:
                break
            self.requests.append(head)
            writer.write(said)
            await writer.drain()
        writer.close()
        self.closed.set()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Origin]:
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    yield Origin.parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    async with asyncio.timeout(20):
        await asyncio.gather(*tasks)


async def test_a_connection_is_used_again(egress: Egress) -> None:
    """RFC 9112 §9.3."""
    async with raw_upstream(OK) as upstream:
        for _ in range(3):
            assert (await ask(egress, upstream.request())).body == b"{}"
        assert (upstream.connections, len(upstream.requests)) == (1, 3)


async def test_calls_at_once_have_connections_of_their_own(egress: Egress) -> None:
    """One exchange at a time: there is no pipelining."""
    async with raw_upstream(OK) as upstream:
        asked = [ask(egress, upstream.request(f"/{number}")) for number in range(5)]
        assert {answer.body for answer in await asyncio.gather(*asked)} == {b"{}"}
        assert upstream.connections == 5
        await ask(egress, upstream.request())
        assert upstream.connections == 5


async def test_a_connection_that_was_closed_meanwhile_is_not_used(egress: Egress) -> None:
    """Nothing is lost by a server's own idle limit, whatever the method."""
    fickle = Fickle(OK, OK)
    async with serving(fickle.serve) as origin:
        await ask(egress, Request("POST", origin, "/1"))
        await fickle.closed.wait()
        assert (await ask(egress, Request("POST", origin, "/2"))).status == 200
    assert len(fickle.requests) == 2


@pytest.mark.parametrize(
    ("method", "again"),
    [("GET", True), ("QUERY", True), ("PUT", True), ("DELETE", True), ("POST", False),
     ("PATCH", False)],
)  # fmt: skip
async def test_what_may_be_sent_twice_is_when_a_kept_connection_dies(
    egress: Egress, method: str, again: bool
) -> None:
    """RFC 9110 §9.2.2: only where twice is as good as once."""
    fickle = Fickle(OK + b"|", OK)
    async with serving(fickle.serve) as origin:
        await ask(egress, Request("GET", origin, "/1"))
        if again:
            assert (await ask(egress, Request(method, origin, "/2"))).status == 200
        else:
            with pytest.raises(ValetError, match="did not answer"):
                await ask(egress, Request(method, origin, "/2"))
    assert len(fickle.requests) == (3 if again else 2)


async def test_nothing_is_sent_twice_once_an_answer_has_begun(egress: Egress) -> None:
    """Half an answer is not none."""
    fickle = Fickle(OK + b"|HTTP/1.1 2", OK)
    async with serving(fickle.serve) as origin:
        await ask(egress, Request("GET", origin, "/1"))
        with pytest.raises(ValetError, match="did not answer"):
            await ask(egress, Request("GET", origin, "/2"))
    assert len(fickle.requests) == 2


async def test_a_new_connection_that_dies_is_not_tried_again(egress: Egress) -> None:
    """A server that is down is asked once."""
    fickle = Fickle(b"", OK)
    async with serving(fickle.serve) as origin:
        with pytest.raises(ValetError, match="did not answer"):
            await ask(egress, Request("GET", origin, "/"))
    assert len(fickle.requests) == 1


async def test_what_came_but_was_not_read_yet_closes_the_connection_too(egress: Egress) -> None:
    """R133: bytes that wait in the socket would answer the next request."""
    async with raw_upstream(OK) as upstream:
        await ask(egress, upstream.request())
        [line] = idle(egress._lines)
        assert line._transport is not None
        ours = line._transport.get_extra_info("socket")
        with socket.fromfd(ours.fileno(), ours.family, ours.type) as same:
            same.shutdown(socket.SHUT_RD)  # readable, and the loop has had no turn to read it
        assert (await ask(egress, upstream.request())).body == b"{}"
        assert upstream.connections == 2


async def test_a_call_that_is_cancelled_closes_its_connection(egress: Egress) -> None:
    """The upstream hears that nobody waits, and no later call gets the answer."""
    asked, left = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        left.set()
        writer.close()

    async with serving(serve) as origin:
        call = asyncio.create_task(ask(egress, Request("GET", origin, "/")))
        await asked.wait()
        call.cancel()
        async with asyncio.timeout(20):
            await left.wait()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_an_answer_that_trickles_is_given_up() -> None:
    """The time is for the whole answer, not from one byte to the next."""
    egress = Egress(timeout=0.3)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.05)

    async with serving(serve) as origin:
        with pytest.raises(ValetError, match="did not answer"):
            await ask(egress, Request("GET", origin, "/"))
        await egress.close()


async def test_an_answer_before_the_request_is_sent_ends_the_connection(egress: Egress) -> None:
    """What is still to be sent is no beginning of the next request."""
    large = b"x" * 8_000_000
    refused = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refused)
        await done.wait()
        writer.transport.abort()

    async with serving(serve) as origin:
        answer = await ask(egress, Request("POST", origin, "/", body=large))
        assert answer.status == 413
        assert not idle(egress._lines)
        done.set()


async def test_the_certificate_must_be_the_host_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """R132: the connection goes to an address, the certificate is for the name."""

    async def found(host: str, port: int, **_: Any) -> list[Any]:
        return [(None, None, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr("anyio.getaddrinfo", found)
    server_side, client_side = certificate("api.corp.example", tmp_path)
    runner = web.AppRunner(web.Application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_side).start()
    port = runner.addresses[0][1]

    async def status(host: str, tls: ssl.SSLContext | None) -> int:
        egress = Egress(timeout=15, tls=tls)
        try:
            origin = Origin.parse(f"https://{host}:{port}")
            await ask(egress, Request("GET", origin, "/"))
            return (await ask(egress, Request("GET", origin, "/"))).status
        finally:
            await egress.close()

    assert await status("api.corp.example", client_side) == 404
    for host, tls in (("other.corp.example", client_side), ("api.corp.example", None)):
        with pytest.raises(ValetError, match="did not answer"):
            await status(host, tls)
    await runner.cleanup()


async def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch, egress: Egress) -> None:
    """RFC 8305: a host has several addresses, and one of them may be down."""
    async with raw_upstream(OK) as upstream:

        async def found(host: str, port: int, **_: Any) -> list[Any]:
            return [(None, None, 0, "", (address, port)) for address in ("127.0.0.9", "127.0.0.1")]

        monkeypatch.setattr("anyio.getaddrinfo", found)
        origin = Origin.parse(f"http://localhost:{upstream.port}")
        assert (await ask(egress, Request("GET", origin, "/"))).body == b"{}"


async def test_idle_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's connection stays open for ever, nor do those of many people."""
    monkeypatch.setattr(lines_module, "KEEPALIVE", 0.1)
    lines = Lines(None)
    async with raw_upstream(OK) as upstream:
        await _through(lines, upstream, "p0")
        [line] = idle(lines)
        await asyncio.sleep(0.25)
        assert not line.quiet
        assert not lines
        monkeypatch.setattr(lines_module, "KEEPALIVE", 9)
        for number in range(70):
            await _through(lines, upstream, f"p{number}")
        assert len(lines) == 64
    await lines.close()


async def _through(lines: Lines, upstream: RawUpstream, who: str) -> None:
    destination = Destination(who, upstream.origin, loopback=True)
    await lines.ask(destination, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", 100, 3)


async def test_a_line_without_a_connection_is_lost() -> None:
    """A line is given to nobody before it is there, and to nobody after."""
    line = Line()
    assert not line.quiet
    with pytest.raises(Lost):
        await line.exchange(b"", "GET", 1, 0)


async def test_a_place_that_was_closed_keeps_nothing_that_comes_back() -> None:
    """The line of a request under way is nobody's afterwards."""
    lines = Lines(None)
    async with raw_upstream(OK) as upstream:
        under_way = asyncio.create_task(_through(lines, upstream, "p0"))
        await asyncio.sleep(0)
        [place] = lines._places.values()
        await lines.close()
        await under_way
        assert not place.idle
    assert not lines


async def test_each_exchange_of_a_line_has_its_own_time() -> None:
    """A timer is shared by exchanges that follow each other; none gets the time of another."""
    answered, gone = 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while await reader.readuntil(b"\r\n\r\n") and answered < 3:
            answered += 1
            writer.write(OK)
        await reader.read()  # the line is closed: nobody waits
        writer.close()
        gone.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin = Origin.parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    destination, request = Destination("p", origin, loopback=True), b"POST / HTTP/1.1\r\n\r\n"
    lines, loop = Lines(None), asyncio.get_running_loop()
    for seconds in (1.0, 30.0, 1.0):
        await lines.ask(destination, request, "POST", 100, seconds)
        await asyncio.sleep(0.6)  # the timer of the first falls into the time of the others
    [line] = idle(lines)
    began = loop.time()
    with pytest.raises(TimeoutError):
        await lines.ask(destination, request, "POST", 100, 1.5)
    assert 1.4 < loop.time() - began < 20
    assert answered == 3
    assert line._timer is None
    async with asyncio.timeout(20):
        await gone.wait()
    await lines.close()
    server.close()
