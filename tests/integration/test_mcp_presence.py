"""A client that has gone gets nothing done any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp_types as types
import pytest
from aiohttp import web
from mcp import MCPError
from mcp_world import Upstream, World, last_message, modern_request, world
from program import INITIALIZE

from jupyter_valet.broker.mcp import patience

pytestmark = pytest.mark.anyio

NOTICE = 0.2
"""Seconds after which the server has certainly read that the connection is closed."""

ISSUES = {"project": "tidepool"}
ACCEPT = {"connect": {"action": "accept"}}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        Upstream().running() as upstream,
        world(tmp_path, upstream) as built,
        built.serving(hold=2),
    ):
        yield built


async def pings(here: World, count: int) -> None:
    while here.sent.count(b": ping") < count:  # noqa: ASYNC110 - the wire has no event
        await anyio.sleep(0.01)


async def until_pending(here: World) -> None:
    with anyio.fail_after(20):
        await here.until_pending()


async def test_a_waiting_leg_ends_with_its_connection(here: World) -> None:
    """PS-06: closing the response stream is the cancel; no upstream call happens afterwards."""
    token = here.kernel()
    state = (await here.post(token))["result"]["requestState"]
    async with here.http(token) as http:
        request = modern_request(http, here.url, requestState=state, inputResponses=ACCEPT)
        with anyio.move_on_after(0.3) as gave_up:
            await http.send(request)
    assert gave_up.cancelled_caught
    await anyio.sleep(NOTICE)
    here.sign_in()
    await anyio.sleep(0.3)
    assert here.upstream.requests == []


async def test_the_call_can_still_be_finished_by_who_comes_back(here: World) -> None:
    """A leg that the network swallowed has spent nothing: the same state is good again."""
    token = here.kernel()
    state = (await here.post(token))["result"]["requestState"]
    async with here.http(token) as http:
        request = modern_request(http, here.url, requestState=state, inputResponses=ACCEPT)
        with anyio.move_on_after(0.2):
            await http.send(request)
    await anyio.sleep(NOTICE)
    here.sign_in()
    reply = await here.post(token, requestState=state, inputResponses=ACCEPT)
    assert reply["result"]["structuredContent"] == [{"number": 1, "title": "Tides"}]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_held_call_that_timed_out_has_no_late_effect(here: World, mode: str) -> None:
    """frameworks 1.1: the client's timeout stops the call in both revisions."""
    async with here.client(here.kernel(), mode) as client:
        with pytest.raises(MCPError):
            await client.call_tool("demo_list_issues", ISSUES, read_timeout_seconds=1.5)
    await until_pending(here)
    await anyio.sleep(NOTICE)
    here.sign_in()
    await anyio.sleep(1.5)
    assert here.upstream.requests == []


async def test_a_client_that_leaves_without_a_word_is_noticed(here: World) -> None:
    """Clients of mcp 1.x just close the stream: the older revision has no cancel in that."""
    token = here.kernel()
    accept = {"Accept": "application/json, text/event-stream"}
    async with here.http(token, **accept) as http:
        opened = await http.post(here.url, json=INITIALIZE)
        http.headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        await http.post(here.url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        call = {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "demo_list_issues", "arguments": ISSUES},
        }
        with pytest.raises(httpx2.ReadTimeout):
            await http.post(here.url, json=call, timeout=1.5)
    await until_pending(here)
    await anyio.sleep(NOTICE)
    here.sign_in()
    await anyio.sleep(1.5)
    assert here.upstream.requests == []


async def test_cancelling_during_the_question_withdraws_it(here: World) -> None:
    """A person's interrupt: the dialog closes, the call ends, nothing is sent."""
    closed = asyncio.Event()

    async def dialog(context: Any, params: Any) -> types.ElicitResult:
        call.cancel()
        try:
            await anyio.sleep_forever()
        finally:
            closed.set()
        raise AssertionError

    async with here.client(here.kernel(), "legacy", dialog) as client:
        with anyio.CancelScope() as call:
            await client.call_tool("demo_list_issues", ISSUES)
        async with asyncio.timeout(20):
            await closed.wait()
    await anyio.sleep(NOTICE)
    here.sign_in()
    await anyio.sleep(0.2)
    assert here.upstream.requests == []


async def test_an_upstream_that_is_slow_is_let_go_with_the_client(here: World) -> None:
    """The upstream request is cancelled as well."""
    here.connect()
    left = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        call.cancel()
        try:
            await asyncio.sleep(60)  # aiohttp cancels the handler when its client goes
        finally:
            left.set()
        return web.Response()

    here.upstream.handler = slow
    async with here.http(here.kernel()) as http:
        with anyio.CancelScope() as call:
            await http.send(modern_request(http, here.url))
    async with asyncio.timeout(20):
        await left.wait()


async def test_an_answer_that_takes_long_becomes_a_stream_with_pings(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """streamable-http: a slow upstream is no silence that a client would give up on."""
    monkeypatch.setattr(patience, "PING_SECONDS", 0.1)
    here.connect()

    async def slow(request: web.Request) -> web.Response:
        await pings(here, 3)
        return web.json_response([{"number": 1}])

    here.upstream.handler = slow
    async with here.http(here.kernel()) as http:
        reply = await http.send(modern_request(http, here.url))
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.text.count(": ping") >= 3
    assert last_message(reply.text)["result"]["structuredContent"] == [{"number": 1}]


async def test_an_upstream_is_let_go_by_a_client_that_hears_pings(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PS-06 holds as well after the answer has become a stream."""
    monkeypatch.setattr(patience, "PING_SECONDS", 0.1)
    here.connect()
    left = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        try:
            await pings(here, 1)
            call.cancel()
            await asyncio.sleep(60)
        finally:
            left.set()
        return web.Response()

    here.upstream.handler = slow
    async with here.http(here.kernel()) as http:
        with anyio.CancelScope() as call:
            await http.send(modern_request(http, here.url))
    async with asyncio.timeout(20):
        await left.wait()
