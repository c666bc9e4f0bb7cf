"""Requests at Jupyter's port that go wrong halfway, at either end, and what comes after them."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from forwarded import OK, TOKEN, Client, Heard, World, forwarded
from jupyter_server.auth import AllowAllAuthorizer

from jupyter_valet.server.mcp import passage
from jupyter_valet.server.mcp.handler import McpHandler
from jupyter_valet.wire.clients import HEADER, MAX_BODY, Arrival

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with forwarded() as running:
        yield running


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with world.client() as connected:
        yield connected


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def code(body: bytes) -> str:
    return str(json.loads(body)["error"]["code"])


# What goes through -------------------------------------------------------------------------------


async def test_the_broker_is_told_who_it_is_and_gets_nothing_else_of_the_head(
    world: World, client: Client
) -> None:
    """RS-11, BP-08: neither the token nor a cookie, and what is forged is dropped."""
    forged = Arrival("http://x/", "http://x/valet/mcp", "http://x/m", principal="eve").encode()
    more = (f"{HEADER}: {forged}", "Cookie: a=b", "X-Forwarded-For: ::1", "Mcp-Method: tools/list")
    status, headers, body = await client.ask(client.post(b'{"a":1}', *more))
    assert (status, body) == (200, b"done")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "date" in headers
    [heard] = world.heard
    assert heard.body == b'{"a":1}'
    assert heard.header("mcp-method") == "tools/list"
    arrival = Arrival.decode(heard.header(HEADER))
    assert (arrival.principal, arrival.token) == ("owner", "")
    assert arrival.resource == f"http://127.0.0.1:{client.port}/valet/mcp"
    assert TOKEN not in heard.head
    assert not heard.header("cookie")
    assert not heard.header("x-forwarded-for")
    await until(lambda: world.logged)
    assert world.logged == [(200, "POST", "/valet/mcp")]


async def test_the_access_log_knows_whose_call_it_was_also_when_jupyter_was_not_asked_again(
    world: World, client: Client
) -> None:
    for _ in range(3):
        await client.ask(client.post())
    await client.ask(client.post(token="jva_x"))
    await until(lambda: len(world.users) == 4)
    first, *others, stranger = world.users
    assert first.username
    assert others == [first, first]
    assert stranger is None


async def test_a_server_that_is_used_from_outside_is_in_use(world: World, client: Client) -> None:
    """`shutdown_no_activity_timeout`, and the cullers of JupyterHub."""
    times = world.settings["last_activity_times"]
    await client.ask(client.post(b"", "Sec-Fetch-Site: cross-site"))
    assert times == {}, "a page of another origin keeps no server alive"

    async def refuse(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnone")

    world.script = refuse
    await client.ask(client.post(token="jva_x"))
    assert times == {}, "nor does who may do nothing"
    world.script = None
    await client.ask(client.head("GET"))
    assert times == {}, "nor a program that waits for what it is told"
    before = datetime.now(UTC)
    await client.ask(client.post())
    assert before < times["jupyter_valet"] < datetime.now(UTC)


async def test_a_token_in_the_url_is_refused_and_no_part_of_the_access_log(
    world: World, client: Client
) -> None:
    """RS-11; Jupyter knows only some names of what it must not write."""
    for query in ("capability=jvk_secret", "%74oken=secret", "access_token=secret"):
        head = client.post().replace(b"/valet/mcp ", f"/valet/mcp?{query} ".encode())
        assert (await client.ask(head))[0] == 400
    await until(lambda: len(world.logged) == 3)
    assert set(world.logged) == {(400, "POST", "/valet/mcp")}


@pytest.mark.parametrize("token", ["", "jva_x", TOKEN])
async def test_a_request_leaves_nothing_in_memory(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body has up to 4 MB, and whoever sends it need not be anybody."""
    kept: weakref.WeakSet[Any] = weakref.WeakSet()

    def follow(kind: Any) -> None:
        made = kind.__init__

        def make(self: Any, *given: Any, **named: Any) -> None:
            kept.add(self)
            made(self, *given, **named)

        monkeypatch.setattr(kind, "__init__", make)

    follow(passage.Passage)
    follow(McpHandler)
    gc.disable()  # nothing waits for Python to look for circles
    try:
        for _ in range(5):
            async with world.client() as client:
                await client.ask(client.post(b"x" * 100_000, token=token))
                client.writer.write(client.head("POST", "Content-Length: 1000", token=token))
        await until(lambda: not kept)
    finally:
        gc.enable()


async def test_a_request_that_jupyter_can_make_no_handler_for_is_answered(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("an instrumented class")

    monkeypatch.setattr(McpHandler, "initialize", fail)
    status, _, body = await client.ask(client.post())
    assert (status, code(body)) == (500, "internal")


async def test_a_token_that_jupyter_does_not_know_is_the_broker_s_to_judge(
    world: World, client: Client
) -> None:
    await client.ask(client.post(token="jva_x.y z"))
    arrival = Arrival.decode(world.heard[0].header(HEADER))
    assert (arrival.principal, arrival.token) == ("", "jva_x.y z")


async def test_jupyter_s_token_is_good_no_longer_than_it_is_jupyter_s(
    world: World, client: Client
) -> None:
    """RS-11: what was recognised once is compared anew with each request."""
    for _ in range(2):
        await client.ask(client.post())
    world.provider.token = "another"
    await client.ask(client.post())
    await client.ask(client.post(token="another"))
    await client.ask(client.post(token="anothe"))
    told = [Arrival.decode(heard.header(HEADER)) for heard in world.heard]
    assert [arrival.principal for arrival in told] == ["owner", "owner", "", "owner", ""]


async def test_an_authorizer_of_one_s_own_is_asked_each_time(world: World, client: Client) -> None:
    """Only Jupyter's own lets in forever whom it has let in once."""

    class Fickle(AllowAllAuthorizer):
        asked = 0

        def is_authorized(self, *_: Any) -> bool:
            self.asked += 1
            return self.asked != 2

    await client.ask(client.post())
    world.settings["authorizer"] = fickle = Fickle()
    assert [(await client.ask(client.post()))[0] for _ in range(3)] == [200, 403, 200]
    assert fickle.asked == 3


async def test_a_body_in_chunks_is_passed_on_with_its_length(world: World, client: Client) -> None:
    chunks = b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'
    status, _, _ = await client.ask(client.head("POST", "Transfer-Encoding: chunked") + chunks)
    assert status == 200
    assert world.heard[0].body == b'{"a":1}'
    assert world.heard[0].header("content-length") == "7"


async def test_requests_that_come_at_once_are_answered_one_after_the_other(
    world: World, client: Client
) -> None:
    """RFC 9112 §9.3.2; all of them through one connection to the broker."""
    client.writer.write(client.post(b"1") + client.post(b"2") + client.post(b"3"))
    for _ in range(3):
        assert (await client.answer())[0] == 200
    assert [heard.body for heard in world.heard] == [b"1", b"2", b"3"]
    assert world.connections == 1


async def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(
    world: World, client: Client
) -> None:
    """RFC 9110 §10.1.1."""
    client.writer.write(client.head("POST", "Content-Length: 2", "Expect: 100-continue"))
    assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    assert (await client.ask(b"{}"))[0] == 200


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE"])
async def test_another_method_is_refused_and_the_connection_stays(
    world: World, client: Client, method: str
) -> None:
    """RFC 9110 §15.5.6."""
    client.writer.write(client.head(method, "Content-Length: 2") + b"{}")
    status, headers, _ = await client.answer(body=method != "HEAD")
    assert (status, headers["allow"]) == (405, "GET, POST, DELETE")
    assert (await client.ask(client.post()))[0] == 200
    assert len(world.heard) == 1


async def test_after_a_refusal_the_connection_serves_the_next_request(
    world: World, client: Client
) -> None:
    """Of a request that is refused by its head the body is read, and not passed on."""

    async def refuse(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer\r\nContent-Length: 2\r\n\r\nno")

    two = client.post(b"{}", "Authorization: Bearer other")
    assert (await client.ask(two))[0] == 400
    assert (await client.ask(client.post(b"{}", "Origin: https://evil.example")))[0] == 403
    assert not world.heard
    world.script = refuse
    status, headers, body = await client.ask(client.post())
    assert (status, headers["www-authenticate"], body) == (401, "Bearer", b"no")
    world.script = None
    assert (await client.ask(client.post()))[0] == 200
    await until(lambda: len(world.logged) == 4)
    assert [status for status, *_ in world.logged] == [400, 403, 401, 200]


async def test_a_body_that_is_announced_too_large_is_refused_and_the_connection_ends(
    world: World, client: Client
) -> None:
    client.writer.write(client.head("POST", f"Content-Length: {MAX_BODY + 1}"))
    status, headers, _ = await client.answer()
    assert (status, headers["connection"]) == (413, "close")
    assert await client.reader.read() == b""
    assert not world.heard


# Who goes away -----------------------------------------------------------------------------------


async def test_a_client_that_goes_in_the_middle_of_its_body_was_never_there(world: World) -> None:
    async with world.client() as client:
        client.writer.write(client.head("POST", "Content-Length: 100") + b"{")
        await asyncio.sleep(0.02)
    async with world.client() as client:
        assert (await client.ask(client.post()))[0] == 200
    assert [heard.body for heard in world.heard] == [b"{}"]


async def test_a_client_that_sends_its_body_too_slowly_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage, "BODY_SECONDS", 0.05)
    async with world.client() as client:
        client.writer.write(client.head("POST", "Content-Length: 100") + b"{")
        assert await client.reader.read() == b""
        assert not world.heard
    async with world.client() as client:  # an answer may take as long as it likes

        async def slowly(heard: Heard, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.1)
            writer.write(OK)

        world.script = slowly
        assert (await client.ask(client.post()))[0] == 200


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("begun", [b"", STREAM, STREAM + b"3\r\nhey\r\n"])
async def test_a_request_ends_at_the_broker_when_its_client_goes(
    world: World, begun: bytes, known: bool
) -> None:
    """PS-06, whether Jupyter was asked whose token it is or not."""
    if known:
        async with world.client() as client:
            await client.ask(client.post())
        world.heard.clear()
        await until(lambda: world.logged)
        world.logged.clear()
    gone = asyncio.Event()

    async def wait(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        assert await heard.reader.read() == b""
        gone.set()

    world.script = wait
    async with world.client() as client:
        client.writer.write(client.post())
        await until(lambda: world.heard)
        if begun:
            await client.reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(20):
        await gone.wait()
    await until(lambda: world.logged)


async def test_half_an_answer_is_no_part_of_the_error_that_takes_its_place(
    world: World, client: Client
) -> None:
    """Small answers are kept until they are whole: what had come must not precede the error."""

    async def break_off(heard: Heard, writer: asyncio.StreamWriter) -> None:
        head = OK.replace(b": 4\r\n", b": 100\r\nMcp-Session-Id: s1\r\n")
        writer.write(head.replace(b"done", b'{"half":'))
        writer.close()

    world.script = break_off
    status, headers, body = await client.ask(client.post())
    assert (status, code(body)) == (503, "broker_unreachable")
    assert "mcp-session-id" not in headers
    world.script = None
    assert (await client.ask(client.post()))[0] == 200, "over another connection"


@pytest.mark.parametrize(
    "answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 101 X\r\n\r\n", b"", OK + OK.replace(b"200", b"500")]
)
async def test_what_is_no_single_answer_is_none_of_the_next_request(
    world: World, client: Client, answer: bytes
) -> None:
    """R133: what nobody has asked for is answered to nobody."""

    async def say(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if not answer.startswith(OK):
            writer.close()

    world.script = say
    status, _, _ = await client.ask(client.post())
    assert status == (200 if answer.startswith(OK) else 503)
    world.script = None
    assert (await client.ask(client.post()))[0] == 200
    assert world.connections == 2


async def test_a_stream_that_breaks_off_is_cut_and_not_ended(world: World, client: Client) -> None:
    """Its client must not take half of it for the whole."""

    async def break_off(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + b"5\r\ndata:\r\n")
        await writer.drain()
        writer.close()

    world.script = break_off
    client.writer.write(client.post())
    said = await client.reader.read()
    assert b"5\r\ndata:\r\n" in said
    assert not said.endswith(b"0\r\n\r\n")


async def test_a_stream_comes_as_it_is_said_and_the_connection_stays(
    world: World, client: Client
) -> None:
    go_on = asyncio.Event()

    async def stream(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM)
        await go_on.wait()
        go_on.clear()
        writer.write(b"3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    world.script = stream
    client.writer.write(client.post())
    assert b"text/event-stream" in await client.reader.readuntil(b"\r\n\r\n")
    go_on.set()
    assert await client.reader.readuntil(b"one\r\n") == b"3\r\none\r\n"
    go_on.set()
    assert await client.reader.readuntil(b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"
    world.script = None
    assert (await client.ask(client.post()))[0] == 200


async def test_a_client_that_does_not_read_makes_the_broker_wait(world: World) -> None:
    """Back-pressure: the server keeps a few hundred kilobytes for it, and not all there is."""
    sent = 0

    async def flood(heard: Heard, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(STREAM)
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    world.script = flood
    async with world.client() as client:
        client.writer.write(client.post())
        await until(lambda: sent)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 64 * 1024 * 1024, "what the system's own buffers hold"
        await client.reader.readexactly(before // 2)
        await until(lambda: sent > before)


async def test_a_connection_that_the_broker_has_closed_is_not_used_again(
    world: World, client: Client
) -> None:
    async def once(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    world.script = once
    for _ in range(3):
        assert (await client.ask(client.post()))[0] == 200
        await asyncio.sleep(0.02)
    assert world.connections == 3
