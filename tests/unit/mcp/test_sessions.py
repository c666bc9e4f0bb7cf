"""Sessions of 2025-11-25 are counted by caller: one of them crowds out none of the others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from jupyter_valet.broker.client import Client
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.mcp import sessions
from jupyter_valet.broker.mcp.authentication import admit
from jupyter_valet.broker.mcp.sessions import Sessions

pytestmark = pytest.mark.anyio

KERNEL = Caller("owner", "k1", "a.ipynb", "http://h/")
OTHER = Caller("owner", "k2", "b.ipynb", "http://h/")
CLIENT = Client("client:jupyter", "programs", frozenset())
JANE, JOE = [Caller(who, CLIENT.id, "", "http://h/", client=CLIENT) for who in ("jane", "joe")]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class World:
    """The SDK's sessions behind ours."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self.sessions = Sessions(manager.handle_request)

    async def ask(
        self, caller: Caller, message: Any = PING, session: bytes = b"", method: str = "POST"
    ) -> tuple[int, bytes]:
        """Return the status, and the session's id of the answer."""
        headers = [
            (b"host", b"127.0.0.1:1"),
            (b"content-type", b"application/json"),
            (b"accept", b"application/json, text/event-stream"),
            *([(b"mcp-session-id", session)] if session else []),
        ]
        scope = {"type": "http", "method": method, "path": "/mcp", "headers": headers}
        scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http"}
        body = json.dumps(message).encode()
        bodies = iter([{"type": "http.request", "body": body, "more_body": False}])
        heads: list[Any] = []

        async def receive() -> Any:
            message = next(bodies, None)
            if message is None:
                await anyio.sleep_forever()
            return message

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                heads.append(message)

        with anyio.fail_after(20):
            await self.sessions.serve(caller, admit(scope, caller), receive, send)
        [head] = heads
        return head["status"], dict(head["headers"]).get(b"mcp-session-id", b"")

    async def begin(self, caller: Caller) -> bytes:
        status, session = await self.ask(caller, INITIALIZE)
        assert status == 200
        return session

    async def goes_on(self, caller: Caller, session: bytes) -> bool:
        return (await self.ask(caller, PING, session))[0] == 200


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(sessions, "MOST_OF_KERNEL", 2)
    monkeypatch.setattr(sessions, "MOST_OF_CLIENT", 3)
    manager = StreamableHTTPSessionManager(Server("t"), max_sessions=8)
    async with manager.run():
        yield World(manager)


async def test_who_begins_one_after_another_loses_its_own_and_crowds_out_nobody(
    world: World,
) -> None:
    """The SDK has one limit for all: without this one, 8 of a kernel's keep everybody else out."""
    theirs = await world.begin(OTHER)
    mine = [await world.begin(KERNEL) for _ in range(20)]
    assert [await world.goes_on(KERNEL, one) for one in mine[-3:]] == [False, True, True]
    assert await world.goes_on(OTHER, theirs)
    assert await world.begin(JANE)


async def test_what_is_used_stays(world: World) -> None:
    first, second = [await world.begin(KERNEL) for _ in range(2)]
    assert await world.goes_on(KERNEL, first)
    await world.begin(KERNEL)
    assert await world.goes_on(KERNEL, first)
    assert not await world.goes_on(KERNEL, second)


async def test_a_session_that_its_program_ended_counts_no_more(world: World) -> None:
    stays = await world.begin(KERNEL)
    for _ in range(5):
        ended = await world.begin(KERNEL)
        assert (await world.ask(KERNEL, None, ended, "DELETE"))[0] == 200
    assert await world.goes_on(KERNEL, stays)


async def test_the_same_program_of_two_people_is_two_callers(world: World) -> None:
    """One id of a client, two people: RS-12."""
    theirs = await world.begin(JOE)
    for _ in range(6):
        await world.begin(JANE)
    assert await world.goes_on(JOE, theirs)
    assert not await world.goes_on(JANE, theirs)


async def test_those_that_are_begun_at_once_are_counted_all_the_same(world: World) -> None:
    begun: list[bytes] = []

    async def begin() -> None:
        begun.append(await world.begin(KERNEL))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(begin)
            tasks.start_soon(world.ask, KERNEL, PING, b"made-up", "DELETE")
    begun.append(await world.begin(KERNEL))
    assert sum([await world.goes_on(KERNEL, one) for one in begun]) == 2


async def test_nothing_is_kept_of_who_begins_none(world: World) -> None:
    """A session's id is anybody's to make up."""
    for number in range(5):
        assert (await world.ask(KERNEL, PING, b"made-up-%d" % number))[0] == 404
    assert (await world.ask(KERNEL, PING))[0] == 400
    assert world.sessions._of == {}
    await world.begin(KERNEL)
    world.sessions.ended("k1")
    assert world.sessions._of == {}
