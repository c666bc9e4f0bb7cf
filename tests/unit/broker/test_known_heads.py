"""A head that llhttp has parsed before is not parsed again, and nobody can tell."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import anyio
import pytest
from guarded_listener import listening

from jupyter_valet.broker.gate import Gate
from jupyter_valet.broker.http import of_head, whole
from jupyter_valet.broker.http.heads import Heads
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.mcp.authentication import authenticate
from jupyter_valet.wire import capability

HEAD = (
    b"POST /mcp?a=b HTTP/1.1\r\nHost: 127.0.0.1:1\r\nAuthorization: Bearer jvk_x\r\n"
    b"Content-Type: application/json"
)
SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "http_version": "1.1",
    "path": "/mcp",
    "headers": [(b"host", b"a"), (b"mcp-name", b"tool"), (b"content-length", b"2")],
    "state": {},
}
END = b"the end"
CALL = b"POST /mcp HTTP/1.1\r\nHost: a\r\nMcp-Name: tool\r\nContent-Length: 2\r\n\r\n{}"


def call(name: bytes, body: bytes, head: bytes = HEAD) -> bytes:
    """Return a request in the form in which our own programs write it."""
    return b"%b\r\nMcp-Name: %b\r\nContent-Length: %d\r\n\r\n%b" % (head, name, len(body), body)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what was understood, in one piece, in several, or not at all well."""
    known = whole(scope)
    body = known.take() if known and scope["path"] == "/take" else None
    if body is None:
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
    pairs = [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]]
    seen = [scope["method"], scope["path"], scope["query_string"].decode(), pairs, body.decode()]
    which = known is not None and scope["path"] == "/which"
    told = json.dumps([seen, which]).encode() + END
    length = len(told) + (body == b"short")
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % length)]
    if body == b"stream":
        headers.pop()
    if body == b"split":
        headers.append((b"x-other", b"a"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if body == b"stream":
        await send({"type": "http.response.body", "body": told[:5], "more_body": True})
        told = told[5:]
    await send({"type": "http.response.body", "body": told})


async def heard(stream: Any, until: bytes) -> bytes:
    """Return what comes, up to and with `until`."""
    got = b""
    with anyio.fail_after(20):
        while until not in got:
            got += await stream.receive()
    return got


async def answers(port: int, *requests: bytes) -> list[bytes]:
    """Return what each request is answered with, one after the other on one connection."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        found = []
        for request in requests:
            await stream.send(request)
            found.append(await heard(stream, END))
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b"", b"{}", b"stream", b"split", b"a" * 5000])
async def test_a_known_head_is_understood_and_answered_as_llhttp_has_it(body: bytes) -> None:
    """The first of two equal requests is parsed, the second is known; a third has another name."""
    async with listening(echo) as (_, port):
        parsed, known, renamed = await answers(
            port, call(b"one", body), call(b"one", body), call(b"other_tool", body)
        )
        [fresh] = await answers(port, call(b"other_tool", body))
    assert known == parsed
    assert renamed == fresh
    assert b'["mcp-name", "other_tool"]' in renamed


@pytest.mark.anyio
async def test_the_second_request_is_the_one_that_is_known() -> None:
    """Else the test before this one would show nothing."""
    head = HEAD.replace(b"/mcp?a=b", b"/which")
    async with listening(echo) as (_, port):
        parsed, known = await answers(port, call(b"one", b"{}", head), call(b"two", b"[]", head))
    assert parsed.endswith(b"false]" + END)
    assert known.endswith(b"true]" + END)


@pytest.mark.anyio
async def test_a_body_can_be_taken_instead_of_received() -> None:
    """So does the endpoint; what it takes is not received besides."""
    head = HEAD.replace(b"/mcp?a=b", b"/take")
    async with listening(echo) as (_, port):
        parsed, known = await answers(
            port, call(b"one", b"body", head), call(b"one", b"body", head)
        )
    assert known == parsed


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(call(b"tool", b"{}") + b"x", id="more than it says"),
        pytest.param(call(b"tool", b"{}")[:-1], id="less than it says"),
        pytest.param(call(b"tool", b"{}") + call(b"tool", b"{}"), id="two at once"),
        pytest.param(call(b"to ol", b"{}"), id="a name with a space"),
        pytest.param(call(b"tool\r\nX: y", b"{}"), id="a name with a line end"),
        pytest.param(call(b"tool", b"{}").replace(b"Length: 2", b"Length: 02"), id="02"),
        pytest.param(call(b"tool", b"{}").replace(b"Length: 2", b"Length: +2"), id="+2"),
        pytest.param(call(b"tool", b"{}").replace(b"Length: ", b"Length:"), id="no space"),
        pytest.param(call(b"tool", b"{}").replace(b"POST", b"PUT"), id="another method"),
        pytest.param(call(b"tool", b"{}").replace(b"Bearer", b"bearer"), id="another letter"),
        pytest.param(call(b"tool", b"{}", HEAD + b"\r\nOrigin: a"), id="another header"),
    ],
)
def test_what_does_not_look_exactly_alike_is_llhttps_to_read(request_: bytes) -> None:
    """Nothing is judged here: it is known, or it is parsed."""
    heads = Heads()
    headers = [(b"host", b"a"), (b"mcp-name", b"tool"), (b"content-length", b"2")]
    heads.learn(call(b"tool", b"{}"), {**SCOPE, "headers": headers})
    assert heads.read(call(b"tool", b"{}")) is not None
    assert heads.read(request_) is None


@pytest.mark.parametrize(
    "header",
    [
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"2"),
        (b"connection", b"close"),
        (b"connection", b"keep-alive"),
        (b"expect", b"100-continue"),
        (b"upgrade", b"h2c"),
        (b"mcp-name", b"another"),
    ],
)
def test_a_head_that_says_how_it_is_to_be_read_is_not_learned(header: tuple[bytes, bytes]) -> None:
    """Framing and the life of the connection are llhttp's and uvicorn's (RFC 9112 §6, §9)."""
    heads = Heads()
    heads.learn(CALL, {**SCOPE, "headers": [header, *SCOPE["headers"]]})
    assert heads.read(CALL) is None


def test_http_1_0_is_not_learned() -> None:
    """Its connections end with the answer."""
    heads = Heads()
    heads.learn(CALL, {**SCOPE, "http_version": "1.0"})
    assert heads.read(CALL) is None


def test_only_some_heads_are_kept() -> None:
    """A client that makes up heads takes no memory."""
    heads = Heads()
    calls = [CALL.replace(b"Host: a", b"Host: %d" % number) for number in range(9)]
    for one in calls:
        heads.learn(one, SCOPE)
    assert [heads.read(one) is not None for one in calls].count(True) == 4


def test_what_follows_of_a_head_is_worked_out_once() -> None:
    """And for each request where the head is not known."""
    heads, worked_out = Heads(), []
    heads.learn(CALL, SCOPE)
    for _ in range(3):
        request = heads.read(CALL)
        assert request is not None
        assert of_head(request.scope, "fact", lambda: worked_out.append(1) or "x") == "x"
    assert worked_out == [1]
    of_head(SCOPE, "fact", lambda: worked_out.append(1))
    of_head(SCOPE, "fact", lambda: worked_out.append(1))
    assert len(worked_out) == 3


def test_requests_with_one_head_share_nothing_that_they_could_change() -> None:
    """The application may write into its scope."""
    heads = Heads()
    heads.learn(CALL, SCOPE)
    first, second = heads.read(CALL), heads.read(CALL)
    assert first is not None
    assert second is not None
    first.scope["headers"].clear()
    first.scope["state"]["a"] = 1
    assert second.scope["headers"] == SCOPE["headers"]
    assert second.scope["state"] == {}


@pytest.mark.anyio
@pytest.mark.parametrize("cut", [1, 30, len(HEAD), len(HEAD) + 20, -1])
async def test_a_request_that_comes_in_two_pieces_is_parsed(cut: int) -> None:
    """Also when it would be known in one."""
    request = call(b"one", b"{}")
    async with listening(echo) as (_, port), await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        first = await heard(stream, END)
        await stream.send(request[:cut])
        await anyio.sleep(0.02)
        await stream.send(request[cut:])
        assert await heard(stream, END) == first


@pytest.mark.anyio
async def test_requests_that_do_not_wait_for_answers_are_answered_in_turn() -> None:
    """RFC 9112 §9.3.2, with a known head first."""
    async with listening(echo) as (_, port), await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(call(b"zero", b"{}"))
        await heard(stream, END)
        await stream.send(call(b"one", b"1") + call(b"two", b"2") + call(b"three", b"3"))
        got = b""
        while got.count(END) < 3:
            got += await heard(stream, END)
        assert got.index(b'"one"') < got.index(b'"two"') < got.index(b'"three"')


@pytest.mark.anyio
async def test_the_application_sees_that_the_client_has_gone() -> None:
    """PS-06, without receiving."""
    gone = anyio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        known = whole(scope)
        if known is None:
            await echo(scope, receive, send)
            return
        known.take()
        assert not known.disconnected
        assert (await receive())["type"] == "http.disconnect"
        assert known.disconnected
        gone.set()

    async with listening(waits) as (_, port):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(call(b"one", b"{}"))
            await heard(stream, END)
            await stream.send(call(b"one", b"{}"))
            await anyio.sleep(0.05)
        with anyio.fail_after(20):
            await gone.wait()


@pytest.mark.anyio
async def test_an_answer_that_is_shorter_than_it_says_ends_the_connection() -> None:
    """The client must not take the next answer for its rest."""
    async with listening(echo) as (_, port), await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(call(b"one", b"{}"))
        await heard(stream, END)
        await stream.send(call(b"one", b"short"))
        with anyio.fail_after(20), contextlib.suppress(anyio.EndOfStream):
            while True:
                await stream.receive()


@pytest.mark.anyio
async def test_a_capability_that_has_ended_opens_nothing_however_well_its_head_is_known() -> None:
    """What follows of a head is remembered; whether its capability is good is not (D4)."""
    kernels, token = Kernels(), capability.mint()
    kernels.register(capability.digest(token), Caller("jane", "k1", "a.ipynb", "http://a/"))

    async def door(scope: Any, receive: Any, send: Any) -> None:
        come_in = isinstance(authenticate(scope, kernels.known), Caller)
        known, told = whole(scope) is not None, repr(come_in).encode() + END
        assert known or (await receive())["type"] == "http.request"
        headers = [(b"content-length", b"%d" % len(told))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": told})

    async def refused(caller: Caller) -> None:
        raise AssertionError(caller)

    async with listening(Gate(door, kernels, refused)) as (_, port):
        head = HEAD.replace(b"127.0.0.1:1", b"127.0.0.1:%d" % port).replace(b"?a=b", b"")
        request = call(b"one", b"{}", head.replace(b"jvk_x", token.encode()))
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            said = []
            for _ in range(3):
                await stream.send(request)
                said.append(b"True" in await heard(stream, END))
            kernels.revoke("k1")
            await stream.send(request)
            said.append(b"True" in await heard(stream, END))
    assert said == [True, True, True, False]
