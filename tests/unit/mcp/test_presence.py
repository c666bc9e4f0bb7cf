"""Is the client still there, asked without a task that waits for it to go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_valet.broker.mcp import presence
from jupyter_valet.broker.mcp.presence import Gone, Presence, Watched

pytestmark = pytest.mark.anyio


class Client:
    """The receiving end of an ASGI server whose request has arrived whole."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.waiting = 0

    async def receive(self) -> Any:
        self.waiting += 1
        try:
            await self.left.wait()
        finally:
            self.waiting -= 1
        return {"type": "http.disconnect"}


@pytest.fixture
async def client() -> Client:
    return Client()


async def test_who_has_gone_is_found_out_before_anything_is_done(client: Client) -> None:
    """PS-06: within the time in which nobody waits for the disconnect yet, too."""
    watched = Watched(client.receive)
    watched.check()
    client.left.set()
    with pytest.raises(Gone):
        watched.check()


async def test_looking_leaves_nothing_behind(client: Client) -> None:
    """A step of receiving is taken back when there is nothing to receive."""
    watched = Watched(client.receive)
    for _ in range(3):
        watched.check()
    assert client.waiting == 0


async def test_a_quick_answer_has_no_task_beside_it(client: Client) -> None:
    """It would cost more than the answer."""

    async def answer() -> None:
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == before

    before = len(asyncio.all_tasks())
    await Watched(client.receive).watching(answer())


async def test_a_slow_answer_is_cancelled_when_its_client_goes(client: Client) -> None:
    """PS-06: closing the response stream is the cancel."""
    ended: list[str] = []

    async def answer() -> None:
        try:
            asyncio.get_running_loop().call_later(2 * presence.AT_ONCE, client.left.set)
            await asyncio.sleep(10)
        finally:
            ended.append("cancelled")

    async with asyncio.timeout(20):
        await Watched(client.receive).watching(answer())
    assert ended == ["cancelled"]
    assert client.waiting == 0


async def test_a_slow_answer_that_comes_ends_the_watch(client: Client) -> None:
    """Nothing of it stays."""

    async def answer() -> None:
        await asyncio.sleep(2 * presence.AT_ONCE)
        assert client.waiting == 1

    await Watched(client.receive).watching(answer())
    await asyncio.sleep(0)
    assert client.waiting == 0


async def test_what_somebody_else_receives_is_only_noted(client: Client) -> None:
    """The SDK reads the messages of its requests: nothing is taken away from it."""
    noted = Presence(client.receive)
    client.left.set()
    noted.check()
    assert (await noted.receive())["type"] == "http.disconnect"
    with pytest.raises(Gone):
        noted.check()
