"""The declared residue: an upstream that computes on the caller's order (R138–R140).

These tests pass while the attack works, so that nobody claims more than is measured.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from mcp_world import CANARY, Upstream, World, text, world

pytestmark = [pytest.mark.anyio, pytest.mark.redteam]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        Upstream().running() as upstream,
        world(tmp_path, upstream) as built,
        built.serving(),
    ):
        built.connect()
        yield built


async def answer(here: World, said: str) -> str:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"echo": said})

    here.upstream.handler = handler
    async with here.client(here.kernel(), "2026-07-28") as client:
        result = await client.call_tool("demo_list_issues", {"project": "tidepool"})
    return text(result)


async def test_a_computed_echo_gets_through(here: World) -> None:
    """R138: rot13."""
    got = await answer(here, codecs.encode(CANARY, "rot13"))
    assert codecs.decode(json.loads(got)["echo"], "rot13") == CANARY


async def test_pieces_among_other_letters_get_through(here: World) -> None:
    """R139: five characters at a time, with something between."""
    pieces = [CANARY[at : at + 5] for at in range(0, len(CANARY), 5)]
    got = await answer(here, "SEPARATOR".join(pieces))
    assert json.loads(got)["echo"].replace("SEPARATOR", "") == CANARY


async def test_slices_that_the_caller_asks_for_get_through(here: World) -> None:
    """R140: one slice a call."""
    slices = [
        json.loads(await answer(here, CANARY[at : at + 12]))["echo"]
        for at in range(0, len(CANARY), 12)
    ]
    assert "".join(slices) == CANARY
