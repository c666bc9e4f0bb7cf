"""What is written in one turn of the loop is sent in one piece, and nothing is kept back."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from jupyter_valet.broker.http.joined_writes import JoinedWrites

pytestmark = pytest.mark.anyio


class Sink:
    """A transport that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def close(self) -> None:
        self.told.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.told


@pytest.fixture
async def sink() -> Sink:
    return Sink()


@pytest.fixture
async def joined(sink: Sink) -> JoinedWrites:
    return JoinedWrites(cast("asyncio.Transport", sink), asyncio.get_running_loop())


async def test_head_and_body_are_one_piece(sink: Sink, joined: JoinedWrites) -> None:
    """A client that waits wakes once."""
    joined.write(b"head")
    joined.write(b"body")
    assert sink.told == []
    await asyncio.sleep(0)
    joined.write(b"next")
    await asyncio.sleep(0)
    assert sink.told == [b"headbody", b"next"]


async def test_what_is_complete_can_be_sent_at_once(sink: Sink, joined: JoinedWrites) -> None:
    """The turn that was to send it finds nothing left."""
    joined.write(b"head")
    joined.write(b"body")
    joined.flush()
    assert sink.told == [b"headbody"]
    await asyncio.sleep(0)
    assert sink.told == [b"headbody"]


async def test_closing_sends_the_rest_first(sink: Sink, joined: JoinedWrites) -> None:
    """`Connection: close` must not cut the answer it comes with."""
    joined.write(b"last")
    joined.close()
    await asyncio.sleep(0)
    assert sink.told == [b"last", "closed"]
    assert joined.is_closing()


async def test_much_is_sent_at_once(sink: Sink, joined: JoinedWrites) -> None:
    """The transport's own flow control sees it in time."""
    joined.write(b"x" * 65536)
    assert sink.told == [b"x" * 65536]
    await asyncio.sleep(0)
    assert len(sink.told) == 1
