"""A credential that is refused while bodies pass: renewed once, and sent again if that can be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from local_server import LocalServer

from jupyter_valet.broker.authorized import Authorized
from jupyter_valet.broker.connections import Connection
from jupyter_valet.broker.egress import Egress, Request
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.elicitation import NeedsAuthorization
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.oauth import Account, profiles
from jupyter_valet.broker.policy.access import Use
from jupyter_valet.broker.secret import Secret
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

JANE = Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/")
OLD, NEW = Secret("old-9fK2Zq7Lw_8Xv3Tn5Rb1"), Secret("new-9fK2Zq7Lw_8Xv3Tn5Rb1")


class Api(LocalServer):
    """Takes the credentials in `good` and keeps the bodies that came."""

    def __init__(self) -> None:
        self.good = "new-9fK2Zq7Lw_8Xv3Tn5Rb1"
        self.bodies: list[bytes] = []
        self.large = b""

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/{path:.*}", self._serve)

    async def _serve(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        if self.large:
            return web.Response(body=self.large)
        good = request.headers["Authorization"] == f"Bearer {self.good}"
        return web.json_response({"ok": good}, status=200 if good else 401)


class Renewing:
    """A connection whose first credential has just been ended, in the place of the vault."""

    def __init__(self) -> None:
        self.renewed = 0
        self.uses: list[Any] = []

    async def access_token(
        self, connection: Any, *, rejected: Secret | None = None, found: bool = False
    ) -> Secret:
        self.renewed += rejected is not None
        return NEW if self.renewed else OLD

    def used(self, connection: Any, **facts: Any) -> None:
        self.uses.append(facts)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api() as api:
        yield api


class Here:
    def __init__(self, api: Api, egress: Egress) -> None:
        self.api = api
        self.connections = Renewing()
        self.profile = profiles({}, api.url)["demo"]
        connection = SimpleNamespace(
            id="c", provider="demo", account=Account("1", "jane"), scopes=frozenset()
        )
        access = SimpleNamespace(
            connection=lambda *_: connection,
            sign_in=lambda *a: NeedsAuthorization("demo", (), str(a[-1])),
        )
        audit = SimpleNamespace(record=lambda *_, **__: None, sound=True)
        self.authorized = Authorized(access, self.connections, egress, audit)  # type: ignore[arg-type]

    def stream(self, body: bytes | None = None, upload: Any = None) -> Any:
        request = Request("POST", Origin.parse(self.api.url), "/x", {}, body)
        return self.authorized.stream(JANE, self.profile, Use("t", "T", request, "write"), upload)


@pytest.fixture
async def here(api: Api) -> AsyncIterator[Here]:
    egress = Egress()
    yield Here(api, egress)
    await egress.close()


async def pieces() -> AsyncIterator[bytes]:
    yield b"1"
    yield b"2"


async def test_a_body_that_was_kept_is_sent_again(here: Here) -> None:
    """L17: a 401 was not processed (RFC 9110 §15.5.2), so once more is safe for any method."""
    async with here.stream(b"body") as answer:
        assert (answer.status, await answer.whole()) == (200, b'{"ok": true}')
    assert here.api.bodies == [b"body", b"body"]
    assert (here.connections.renewed, len(here.connections.uses)) == (1, 2)


async def test_an_upload_that_has_begun_is_not(here: Here) -> None:
    """The credential is renewed all the same, so that the same request works the next time."""
    with pytest.raises(ValetError) as caught:
        async with here.stream(upload=pieces()):
            pass
    assert caught.value.code == "send_again"
    assert here.connections.renewed == 1
    async with here.stream(upload=pieces()) as answer:
        assert answer.status == 200
    assert here.api.bodies[-1] == b"12"


async def test_a_large_answer_is_looked_at_in_small_pieces(here: Here) -> None:
    """However much of it has come: looking takes copies, and the broker grows by them."""
    here.api.large = b"x" * 3_000_000
    async with here.stream(b"body") as answer:
        await asyncio.sleep(0.2)  # what fits is there before it is looked for
        sizes = [len(piece) async for piece in answer.pieces()]
    assert sum(sizes) == 3_000_000
    assert max(sizes) <= 64 * 1024


async def test_a_second_refusal_asks_the_person(here: Here) -> None:
    """And no third time. Each of the two is in the audit: the credential went out."""
    here.api.good = "another"
    with pytest.raises(NeedsAuthorization, match="sign"):
        async with here.stream(b"body"):
            pass
    assert len(here.api.bodies) == 2
    assert len(here.connections.uses) == 2


def test_the_stand_in_answers_as_connections_do() -> None:
    """What is stood in for has not moved on."""
    from jupyter_valet.broker.connections import Connections

    for name in ("access_token", "used"):
        assert hasattr(Connections, name)
    assert {"id", "provider", "account", "scopes"} <= set(Connection.__struct_fields__)


async def test_what_cannot_be_written_down_is_not_sent(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line of a stream is written before anything of it goes out."""

    def full(*_: Any, **__: Any) -> None:
        raise ValetError("audit_unwritable", what="the disk is full")

    monkeypatch.setattr(here.connections, "used", full)
    with pytest.raises(ValetError, match="disk is full"):
        async with here.stream(b"body"):
            pass
    assert here.api.bodies == []
