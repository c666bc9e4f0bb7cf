"""The egress rows that are about bytes: an upstream that frames its answers in every wrong way.

Rows R109, R112, R119, R120, R129, R133 and R135 of the threat model; docs/egress.md has them all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from raw_upstream import RawUpstream, raw_upstream

from jupyter_valet.broker.egress import Egress, Request, Response, Terms, Withheld
from jupyter_valet.broker.egress.denied import Denied
from jupyter_valet.broker.egress.placement import BEARER, Placement
from jupyter_valet.broker.secret import Secret
from jupyter_valet.wire.errors import ValetError

pytestmark = [pytest.mark.anyio, pytest.mark.redteam]

CANARY = "cnry_9fK2-Zq7Lw_8Xv3Tn5Rb1Yc6Md0Hp4Gs"
TOKEN = CANARY.encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EVIL = b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"evil"'


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    egress = Egress(timeout=15)
    yield egress
    await egress.close()


async def ask(
    egress: Egress,
    upstream: RawUpstream,
    target: str = "/",
    *,
    method: str = "GET",
    who: str = "jane/k1",
    placement: Placement = BEARER,
    **more: Any,
) -> Response:
    return await egress.send(
        upstream.request(target, method),
        Secret(CANARY),
        Terms(who, loopback=True, provider="X", placement=placement, **more),
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"2\r\n{}\r\n0\r\nX-Echo: " + TOKEN + b"\r\n\r\n",
        b"2;echo=" + TOKEN + b"\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["a trailer", "a chunk extension"],
)
async def test_what_comes_beside_the_body_is_dropped(egress: Egress, answer: bytes) -> None:
    """R109: trailers and chunk extensions reach nobody."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Echo\r\n\r\n"
    async with raw_upstream(head + answer) as upstream:
        response = await ask(egress, upstream)
    assert CANARY not in repr(response)
    assert response.body == b"{}"


async def test_an_interim_answer_is_dropped(egress: Egress) -> None:
    """R94: 103 may carry any header, none of which is passed on."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: " + TOKEN + b"\r\n\r\n"
    async with raw_upstream(hints + OK) as upstream:
        assert CANARY not in repr(await ask(egress, upstream))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 " + TOKEN + b"\r\nContent-Length: 2\r\n\r\n{}", id="reason"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nX-A: a\r\n " + TOKEN + b"\r\nContent-Length: 2\r\n\r\n{}",
            id="R135 folded header",
        ),
    ],
)
async def test_the_head_is_searched_as_well(egress: Egress, answer: bytes) -> None:
    """R94, R135."""
    async with raw_upstream(answer) as upstream:
        with pytest.raises(Withheld):
            await ask(egress, upstream)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"<html>" + TOKEN, id="HTTP 0.9"),
        pytest.param(b"HTTP/9.7 200 OK\r\nContent-Length: 2\r\n\r\n{}", id="bad version"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 2\r\n\r\n{}", id="space"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\n{}", id="NUL"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\n{}\r\n0\r\n\r\n",
            id="R129 both lengths",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
            id="R129 two lengths",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{}",
                     id="cut off"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_not_http_is_none(egress: Egress, answer: bytes) -> None:
    """R129, R135: refused with a fixed text, and the connection is not used again."""
    async with raw_upstream(answer, OK) as upstream:
        with pytest.raises(ValetError, match="X did not answer"):
            await ask(egress, upstream)
        assert (await ask(egress, upstream)).body == b"{}"
        assert upstream.connections == 2


@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
async def test_a_second_answer_to_one_request_answers_nobody(egress: Egress, late: bool) -> None:
    """R133, R129: a parameter that splits the response must not answer the next request."""
    first = OK if late else OK + EVIL
    async with raw_upstream(first, OK, after=EVIL if late else b"") as upstream:
        for _ in range(3):
            assert (await ask(egress, upstream)).body == b"{}"
            await asyncio.sleep(0.15)


async def test_no_connection_is_shared_between_kernels(egress: Egress) -> None:
    """R129, H37: what one kernel's bytes did to a connection, no other kernel meets."""
    async with raw_upstream(OK) as upstream:
        for who in ("jane/k1", "jane/k1", "jane/k2", "joe/k1"):
            await ask(egress, upstream, who=who)
        assert upstream.connections == 3


async def test_host_and_target_are_the_origin_s(egress: Egress) -> None:
    """R119, R120: one Host, ours; the request line holds a path and no other host."""
    async with raw_upstream(OK) as upstream:
        await ask(egress, upstream, "//evil.example/@x?u=http://evil.example")
        head = upstream.requests[0].decode()
    assert head.startswith("GET //evil.example/@x?u=http://evil.example HTTP/1.1\r\n")
    hosts = [line for line in head.split("\r\n") if line.lower().startswith("host:")]
    assert hosts == [f"Host: 127.0.0.1:{upstream.port}"]


async def test_a_redirect_does_not_lead_to_a_denied_endpoint(egress: Egress) -> None:
    """R112: an open redirect of the API is no way around."""
    there = b"HTTP/1.1 302 Found\r\nLocation: /v1/%73ecrets\r\nContent-Length: 0\r\n\r\n"
    async with raw_upstream(there, OK) as upstream:
        with pytest.raises(ValetError) as caught:
            await ask(egress, upstream, never=Denied(["GET /v1/secrets"]))
        assert len(upstream.requests) == 1
    assert caught.value.code == "endpoint_denied"


async def test_a_redirect_is_followed_only_where_the_grant_leads(egress: Egress) -> None:
    """The policy says so for each hop; else the answer is the redirect itself."""
    there = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    asked: list[str] = []

    def onward(request: Request) -> bool:
        asked.append(request.target)
        return False

    async with raw_upstream(there, OK) as upstream:
        answer = await ask(egress, upstream, onward=onward)
        assert len(upstream.requests) == 1
    assert (answer.status, asked) == (302, ["/elsewhere"])


async def test_nothing_is_sent_to_a_denied_endpoint(egress: Egress) -> None:
    """R112: not even the question."""
    async with raw_upstream(OK) as upstream:
        with pytest.raises(ValetError, match="hands out credentials"):
            await ask(egress, upstream, "/oauth/token", method="POST")
        assert upstream.requests == []


IN_QUERY = Placement("query", "appid", "")
IN_BASIC = Placement("basic", user="jane")


def _echo_line(head: bytes) -> bytes:
    body = json.dumps({"url": head.split(b" ")[1].decode()}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _echo_location(head: bytes) -> bytes:
    there = b"https://elsewhere.example" + head.split(b" ")[1]
    return b"HTTP/1.1 302 Found\r\nLocation: " + there + b"\r\nContent-Length: 0\r\n\r\n"


def _echo_headers(head: bytes) -> bytes:
    body = json.dumps(head.decode()).encode()
    return b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    ("placement", "echo"),
    [
        pytest.param(IN_QUERY, _echo_line, id="R93 query in the body"),
        pytest.param(IN_QUERY, _echo_location, id="R98 query in a Location"),
        pytest.param(IN_BASIC, _echo_headers, id="R99 Basic in an error body"),
        pytest.param(Placement("header", "X-Key", ""), _echo_headers, id="R95 header"),
    ],
)
async def test_an_echoed_key_is_withheld_wherever_it_was_sent(
    egress: Egress, placement: Placement, echo: object
) -> None:
    """R93, R95, R98, R99: an API key is looked for like a token."""
    async with raw_upstream(echo) as upstream:  # type: ignore[arg-type]
        with pytest.raises(Withheld):
            await ask(egress, upstream, placement=placement)
        assert len(upstream.requests) == 1
