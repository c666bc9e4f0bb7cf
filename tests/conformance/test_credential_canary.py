"""The credential canary: a token planted in the vault never crosses the wire to a client (ES-21).

No public suite has this check, in either revision. Every byte that leaves the endpoint is kept, and
the token is looked for in it, plain and in the encodings in which an upstream could smuggle it out.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from mcp_world import CANARY, World, served
from wire import NEW, OLD, Message, wire

pytestmark = pytest.mark.anyio

TOOL = "demo_list_issues"
REVISIONS = pytest.mark.parametrize("revision", [OLD, NEW])
URL = {"elicitation": {"url": {}}}
BOTH_MODES = {"elicitation": {"form": {}, "url": {}}}

Answer = Callable[[web.Request], web.Response]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        yield built


def forms(secret: str) -> Iterator[bytes]:
    """Yield the secret as it could be written down."""
    raw = secret.encode()
    yield from (raw, raw[::-1], raw.hex().encode(), quote(secret, safe="").encode())
    yield from (base64.b64encode(raw + b"\0" * n)[: len(raw) * 4 // 3 - 2] for n in range(3))
    yield "".join(f"\\u{ord(c):04x}" for c in secret).encode()
    yield "".join(f"&#{ord(c)};" for c in secret).encode()


def assert_unseen(here: World) -> None:
    assert any(CANARY in str(request.headers) for request in here.upstream.requests), "it was used"
    assert [form for form in forms(CANARY) if form in bytes(here.sent)] == []


@REVISIONS
@pytest.mark.parametrize("declared", [URL, BOTH_MODES, {}])
async def test_a_sign_in_and_the_call_behind_it_show_no_token(
    here: World, revision: str, declared: Message
) -> None:
    """ES-21: what URL mode obtained stays with the server, whatever the client declared."""

    def go(params: Message) -> Message:
        asyncio.get_running_loop().call_later(0.05, here.sign_in)
        return {"action": "accept"}

    async with wire(here.url, here.kernel(), revision, declared, go) as client:
        await client.call(TOOL, project="tidepool")
        if not declared:
            here.sign_in()
        reply = await client.call(TOOL, project="tidepool")
        await client.request("tools/list", {})
    assert "Tides" in json.dumps(reply)
    assert_unseen(here)


def _json(text: str) -> web.Response:
    return web.json_response({"token": text})


ECHOES: dict[str, Answer] = {
    "body": lambda request: _json(request.headers["Authorization"]),
    "error": lambda request: web.json_response({"detail": CANARY}, status=422),
    "header": lambda request: web.json_response([], headers={"X-Debug": CANARY}),
    "location": lambda request: web.Response(status=302, headers={"Location": f"/?t={CANARY}"}),
    "cookie": lambda request: web.json_response([], headers={"Set-Cookie": f"t={CANARY}"}),
    "base64": lambda request: _json(base64.b64encode(CANARY.encode()).decode()),
    "hex": lambda request: _json(CANARY.encode().hex()),
    "escaped": lambda request: web.Response(
        text='["' + "".join(f"\\u{ord(c):04x}" for c in CANARY) + '"]',
        content_type="application/json",
    ),
    "compressed": lambda request: web.Response(
        body=gzip.compress(json.dumps([CANARY]).encode()),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ),
    "text": lambda request: web.Response(text=f"your token is {CANARY}"),
}


@REVISIONS
@pytest.mark.parametrize("place", ECHOES)
async def test_an_upstream_that_says_the_token_back_is_not_passed_on(
    here: World, revision: str, place: str
) -> None:
    """ES-21, ES-23: in a body, a header or an error, and in the encodings of such places."""
    here.connect()

    async def echo(request: web.Request) -> web.Response:
        return ECHOES[place](request)

    here.upstream.handler = echo
    async with wire(here.url, here.kernel(), revision, URL) as client:
        await client.call(TOOL, project="tidepool")
    assert_unseen(here)


@REVISIONS
async def test_what_the_client_shows_goes_to_no_third_party(here: World, revision: str) -> None:
    """ES-22, RS-06: and the other way round, the client's credential stays at this door."""
    here.connect()
    capability = here.kernel()
    async with wire(here.url, capability, revision, URL) as client:
        await client.call(TOOL, project="tidepool")
    assert here.upstream.requests
    assert all(
        capability not in f"{request.url} {request.headers}" for request in here.upstream.requests
    )
    assert all(capability.encode() not in body for body in here.upstream.bodies)
