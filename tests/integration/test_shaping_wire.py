"""What reaches a model and what reaches a person's code, from an upstream on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from api_calls import calls_of
from mcp_world import Upstream, World, text, world

from jupyter_valet.broker.toolsets import toolsets
from jupyter_valet.wire.mcp import META_NEXT, META_WHOLE

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
ISSUES = {"project": "tidepool"}
ISSUE = {"number": 1, "title": "Tides", "closed_at": None, "comments_url": "https://x/1/comments"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with Upstream().running() as upstream, world(tmp_path, upstream) as built:
        [demo] = [t for t in toolsets(built.known) if t.name == "demo"]
        built.calls = calls_of(
            [replace(demo, listing="none")],
            built.connections,
            built.egress,
            built.known,
            built.policy,
        )
        built.connect()
        async with built.serving():
            yield built


def _answer(data: Any, status: int = 200, **headers: str) -> Any:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response(data, status=status, headers=headers)

    return handler


@BOTH
async def test_a_model_is_given_less_and_a_persons_code_everything(here: World, mode: str) -> None:
    """The same call, with and without the kernel's own mark."""
    link = '<https://x/?limit=30&page=2>; rel="next"'
    here.upstream.handler = _answer([ISSUE], Link=link)
    async with here.client(here.kernel(), mode) as client:
        given = await client.call_tool("demo_list_issues", ISSUES)
        whole = await client.call_tool("demo_list_issues", ISSUES, meta={META_WHOLE: True})
    assert given.structured_content == {
        "result": [{"number": 1, "title": "Tides"}],
        "_trimmed": "1 links, 1 null (valet_call_tool gets what is missing with `fields`)",
        "next": {"limit": 30},
    }
    assert whole.structured_content in ([ISSUE], {"result": [ISSUE]})
    assert given.meta[META_NEXT] == whole.meta[META_NEXT] == {"limit": 30}


@BOTH
async def test_fields_get_what_was_trimmed(here: World, mode: str) -> None:
    """And an expression that is none is named before anything is sent."""
    here.upstream.handler = _answer([ISSUE])
    call = {"name": "demo_list_issues", "arguments": ISSUES}
    async with here.client(here.kernel(), mode) as client:
        chosen = await client.call_tool("valet_call_tool", {**call, "fields": "[0].comments_url"})
        sent = len(here.upstream.requests)
        refused = await client.call_tool("valet_call_tool", {**call, "fields": "[0"})
    assert text(chosen) == "https://x/1/comments"
    assert "`fields` is not a JMESPath expression" in text(refused)
    assert len(here.upstream.requests) == sent


@BOTH
async def test_a_read_waits_a_moment_when_it_is_asked_to(here: World, mode: str) -> None:
    """Retry-After: once, and not for long."""
    answers = [_answer({}, 429, **{"Retry-After": "0"}), _answer([{"number": 2}])]

    async def in_turn(request: web.Request) -> Any:
        return await answers.pop(0)(request)

    here.upstream.handler = in_turn
    async with here.client(here.kernel(), mode) as client:
        assert text(await client.call_tool("demo_list_issues", ISSUES)) == '[{"number":2}]'
        here.upstream.handler = _answer({}, 503, **{"Retry-After": "90"})
        sent = len(here.upstream.requests)
        busy = await client.call_tool("demo_list_issues", ISSUES)
    assert text(busy).startswith("provider_busy: Demo has had too many calls and asks to wait 90")
    assert len(here.upstream.requests) == sent + 1
