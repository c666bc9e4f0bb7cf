"""What is being done for a client ends with what let it in."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Any

import anyio
import pytest

from jupyter_valet.broker.client import Client
from jupyter_valet.broker.clients import UnderWay, Visit, under_way
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.refusal import Refusal
from jupyter_valet.wire.clients import Arrival
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

ARRIVAL = Arrival("http://h/", "http://h/valet/mcp", "http://h/m", token="jva_x")
CLIENT = Client("client:key:1", "editor", frozenset({"tools:read"}))
CALLER = Caller("owner", CLIENT.id, "", "http://h/", client=CLIENT)
REFUSAL = Refusal.of_bad_token("http://h/m", "tools:read")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "LOOK_SECONDS", 0.01)


class Request:
    """One request whose client says nothing more, and what it was answered."""

    def __init__(self, caller: Caller = CALLER, arrival: Arrival = ARRIVAL) -> None:
        self.sent: list[Any] = []
        self.visit = Visit(arrival, caller, self._receive, self._send)

    async def _receive(self) -> MutableMapping[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    async def serve(self, watching: UnderWay, *, begun: bool = True) -> None:
        """Do as an application that streams until its client has gone."""
        watching.begin(self.visit)
        if begun:
            await self.visit.send({"type": "http.response.start", "status": 200, "headers": []})
        with anyio.fail_after(20):
            assert (await self.visit.receive())["type"] == "http.disconnect"
        await self.visit.send({"type": "http.response.body", "body": b"too late"})
        await self.visit.close(REFUSAL)
        watching.over(self.visit)


async def judged(version: Callable[[], int], judge: Any, request: Request, **how: bool) -> None:
    watching = UnderWay(judge, version)
    async with watching.watching():
        await request.serve(watching, **how)


async def good(_: Arrival) -> Caller:
    return CALLER


async def test_a_stream_ends_when_its_client_is_refused_after_a_write_to_the_vault() -> None:
    """RS-11: whoever wrote it; nothing is sent any more but the end."""
    versions = iter(range(1, 1000))
    answers = iter([CALLER, REFUSAL, REFUSAL, REFUSAL])

    async def judge(_: Arrival) -> Caller | Refusal:
        return next(answers)

    request = Request()
    await judged(lambda: next(versions), judge, request)
    assert [m["type"] for m in request.sent] == ["http.response.start", "http.response.body"]
    assert request.sent[-1] == {"type": "http.response.body", "body": b""}


async def test_a_request_that_was_not_answered_yet_is_refused() -> None:
    async def judge(_: Arrival) -> Refusal:
        return REFUSAL

    request = Request()
    await judged(lambda: 1, judge, request, begun=False)
    assert request.sent[0]["status"] == 401


@pytest.mark.parametrize("error", [ValetError("vault_locked", url="x"), RuntimeError("a fault")])
async def test_who_cannot_be_judged_is_not_let_go_on(error: Exception) -> None:
    """Fail closed."""

    async def judge(_: Arrival) -> Caller:
        raise error

    await judged(lambda: 1, judge, Request())


async def test_a_stream_of_a_jupyter_token_is_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody tells when such a token is out: its client comes again with it, and is judged."""
    monkeypatch.setattr(under_way, "BELIEVED_SECONDS", 0.05)
    by_server = replace(ARRIVAL, token="", principal="owner")
    began = time.monotonic()
    request = Request(arrival=by_server)
    await judged(lambda: 1, good, request)
    assert time.monotonic() - began >= 0.05
    assert request.sent[-1] == {"type": "http.response.body", "body": b""}


async def test_a_stream_of_a_key_goes_on_while_the_key_is_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is judged again and again, so it needs no end."""
    monkeypatch.setattr(under_way, "BELIEVED_SECONDS", 0.0)
    watching = UnderWay(good, lambda: 1)
    request = Request()
    async with watching.watching():
        watching.begin(request.visit)
        with anyio.move_on_after(0.1) as scope:
            await request.visit.receive()
    assert scope.cancelled_caught


async def test_a_vault_that_cannot_be_read_makes_everybody_be_judged() -> None:
    def unreadable() -> int:
        raise ValetError("vault_damaged", what="x")

    asked = 0

    async def judge(_: Arrival) -> Caller | Refusal:
        nonlocal asked
        asked += 1
        return CALLER if asked < 3 else REFUSAL

    await judged(unreadable, judge, Request())
    assert asked == 3


async def test_another_client_with_the_same_token_is_not_the_one_that_came() -> None:
    async def judge(_: Arrival) -> Caller:
        return replace(CALLER, kernel_id="client:key:2")

    await judged(lambda: 1, judge, Request())


async def test_a_stream_ends_when_its_time_is_over_although_nothing_was_written() -> None:
    """RS-04."""
    over = replace(CALLER, client=replace(CLIENT, expires_at=1.0))
    asked = 0

    async def judge(_: Arrival) -> Caller | Refusal:
        nonlocal asked
        asked += 1
        return over if asked == 1 else REFUSAL

    await judged(lambda: 1, judge, Request(over))


async def test_who_is_let_in_by_somebody_else_s_word_is_asked_about_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an issuer revoked shows in no vault."""
    monkeypatch.setattr(under_way, "AGAIN_SECONDS", 0.05)
    asked = 0

    async def judge(_: Arrival) -> Caller | Refusal:
        nonlocal asked
        asked += 1
        return CALLER if asked < 3 else REFUSAL

    await judged(lambda: 1, judge, Request())


async def test_only_the_client_that_ended_is_ended() -> None:
    other = Request(replace(CALLER, kernel_id="client:key:2"))
    mine = Request()
    watching = UnderWay(good, lambda: 1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mine.serve, watching)
        tasks.start_soon(other.serve, watching)
        await anyio.sleep(0.05)
        watching.end("owner", CLIENT.id)
        await anyio.sleep(0.05)
        assert mine.sent[-1]["type"] == "http.response.body"
        assert other.sent[-1]["type"] == "http.response.start"
        watching.end("owner", "client:key:2")


async def test_the_same_program_of_another_person_goes_on() -> None:
    """One app is one id for all people of a server; who signs it out, signs out their own."""
    theirs = Request(replace(CALLER, principal="user:eve"))
    watching = UnderWay(good, lambda: 1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(theirs.serve, watching)
        await anyio.sleep(0.05)
        watching.end("owner", CLIENT.id)
        await anyio.sleep(0.05)
        assert theirs.sent[-1]["type"] == "http.response.start"
        watching.end("user:eve", CLIENT.id)


async def test_what_this_process_took_back_is_seen_at_the_next_look() -> None:
    """RS-11: SQLite's version shows the writes of others alone."""
    judged = 0

    async def judge(_: Arrival) -> Refusal:
        nonlocal judged
        judged += 1
        return REFUSAL

    watching = UnderWay(judge, lambda: -1)  # as if nobody else ever wrote
    request = Request()
    async with watching.watching(), anyio.create_task_group() as tasks:
        tasks.start_soon(request.serve, watching)
        await anyio.sleep(0.05)
        assert judged == 0
        watching.again()


async def test_a_stream_does_not_outlive_the_scopes_that_it_began_with() -> None:
    """RS-08: an issuer may leave a token less than it was good for."""

    async def judge(_: Arrival) -> Caller:
        return replace(CALLER, client=replace(CLIENT, scopes=frozenset()))

    await judged(lambda: 1, judge, Request())
