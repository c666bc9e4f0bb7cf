"""What an upstream server asks in the middle of a call, in both revisions, and who answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp_types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestURLParams,
    InputRequiredResult,
    TextContent,
)
from upstream_server import UpstreamServer
from upstream_world import JANE, ORIGIN, UpstreamWorld, upstream_world

from jupyter_valet.broker.elicitation import NeedsVisit
from jupyter_valet.broker.upstream.questions import MOST, may_be_opened
from jupyter_valet.broker.upstream.settings import server as settings

pytestmark = pytest.mark.anyio

PAGE = "https://connect.example.com/start?session=4711"


@pytest.fixture(params=["2026-07-28", "2025-11-25", "-32042"])
async def server(request: Any) -> AsyncIterator[UpstreamServer]:
    async with UpstreamServer(legacy=request.param != "2026-07-28").running() as upstream:
        upstream.handlers["echo-Back"] = _ASKING[request.param]
        yield upstream


@pytest.fixture
async def world(tmp_path: Path, server: UpstreamServer) -> AsyncIterator[UpstreamWorld]:
    entry = {"url": server.url, "loopback": True, "title": "Up", "reads": ["*"]}
    async with upstream_world(tmp_path, {"up": entry}) as made:
        await made.connected()
        yield made


opened: set[str] = set()
calls: list[str] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    opened.clear()
    calls.clear()


def said(action: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=action)])


def page() -> ElicitRequestURLParams:
    return ElicitRequestURLParams(
        message="Connect your\u202e account. <a href=x>here</a>", url=PAGE, elicitation_id="e1"
    )


async def modern(context: Any, params: Any) -> Any:
    calls.append(str(params.request_state))
    if params.input_responses is None:
        request = ElicitRequest(params=page())
        return InputRequiredResult(input_requests={"k": request}, request_state="begun")
    return said(params.input_responses["k"].action)


async def pushed(context: Any, params: Any) -> Any:
    calls.append("call")
    asked = page()
    answer = await context.session.elicit_url(
        asked.message, asked.url, "e1", related_request_id=context.request_id
    )
    return said(answer.action)


async def refused(context: Any, params: Any) -> Any:
    calls.append("call")
    if not opened:
        raise UrlElicitationRequiredError([page()])
    return said("accept")


_ASKING = {"2026-07-28": modern, "2025-11-25": pushed, "-32042": refused}


async def visit(world: UpstreamWorld, needs: NeedsVisit, press: str = "approve") -> dict[str, Any]:
    """Open the page of the question and press; returns what was shown, and where it led."""
    transaction = world.transactions.ask(JANE, needs.question)
    where = {"transaction": transaction.id, "principal": "jane", "origin": ORIGIN}
    facts = await world.consent.open(where)
    pressed = getattr(world.consent, press)
    sent = await pressed({**where, "nonce": facts["nonce"]})
    opened.add(press)
    return {**facts, **sent}


async def test_the_person_opens_the_page_and_the_same_call_finishes(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """EC-04, EC-07, EC-12, EC-13: named, with its whole address, by their own press."""
    with pytest.raises(NeedsVisit) as needs:
        await world.call("up_echo_back", {"text": "x"})
    shown = await visit(world, needs.value)
    assert shown["step"] == "visit"
    assert shown["provider_title"].startswith("Up (127.0.0.1:")
    assert (shown["target"], shown["target_host"]) == (PAGE, "connect.example.com")
    assert shown["location"] == PAGE
    assert shown["binding"] == ""
    assert "says: Connect your account. <a href=x>here</a>" in shown["reason"], "as plain text"
    outcome = await world.call("up_echo_back", {"text": "x"})
    assert outcome.data == "accept"
    if server.handlers["echo-Back"] is not refused:
        assert len(calls) == (1 if server.legacy else 2), "nothing was begun a second time"
    (noted,) = world.actions("upstream.asked")
    assert (noted["outcome"], noted["reason"]) == ("accept", "url")


async def test_who_declines_is_believed(world: UpstreamWorld, server: UpstreamServer) -> None:
    """ES-14; and a later call of the same is another call."""
    with pytest.raises(NeedsVisit) as needs:
        await world.call("up_echo_back", {"text": "x"})
    await visit(world, needs.value, "decline")
    async with asyncio.timeout(20):
        while not world.actions("upstream.asked"):  # noqa: ASYNC110 - a test may look
            await asyncio.sleep(0.01)
    assert world.actions("upstream.asked")[0]["outcome"] == "decline"
    opened.clear()
    with pytest.raises(NeedsVisit):
        await world.call("up_echo_back", {"text": "x"})


async def test_two_calls_at_once_are_two_calls(
    world: UpstreamWorld, server: UpstreamServer
) -> None:
    """Only a call that nobody attends to is taken up."""
    both = [world.call("up_echo_back", {"text": "x"}) for _ in range(2)]
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert [type(one) for one in ended] == [NeedsVisit, NeedsVisit]
    digests = {one.question.digest for one in ended if isinstance(one, NeedsVisit)}
    assert len(digests) == 2


async def test_a_server_does_not_ask_without_end(tmp_path: Path) -> None:
    """EC-19: so many pages for one call, and no more."""

    async def greedy(context: Any, params: Any) -> Any:
        calls.append("call")
        actions = params.input_responses or {}
        if any(answer.action == "decline" for answer in actions.values()):
            return said("enough")
        request = ElicitRequest(params=page())
        return InputRequiredResult(input_requests={"k": request}, request_state="more")

    async with UpstreamServer().running() as server:
        server.handlers["echo-Back"] = greedy
        entry = {"url": server.url, "loopback": True, "reads": ["*"]}
        async with upstream_world(tmp_path, {"up": entry}) as world:
            await world.connected()
            for _ in range(MOST):
                with pytest.raises(NeedsVisit) as needs:
                    await world.call("up_echo_back", {"text": "x"})
                await visit(world, needs.value)
            assert (await world.call("up_echo_back", {"text": "x"})).data == "enough"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://connect.example.com/",
        "http://127.0.0.1:9/",
        "https://127.0.0.1:8888/api/kernels",
        "https://localhost/",
        "https://user:pw@connect.example.com/",
        "https://connect.example.com\\@evil.example/",
        "https://ex\u0430mple.com/",
        "https://connect.example.com/ x",
        "https://connect.example.com/" + "x" * 2000,
        "https://169.254.169.254/",
        "",
    ],
)
def test_an_address_that_is_none_is_not_shown(url: str) -> None:
    """EC-22, BP-19: https in plain ASCII; this machine only for servers on this machine."""
    assert not may_be_opened(settings("up", {"url": "https://mcp.example.com"}), url)


def test_an_address_on_this_machine_is_for_servers_on_it() -> None:
    here = settings("up", {"url": "http://127.0.0.1:9/mcp", "loopback": True})
    assert may_be_opened(here, "http://127.0.0.1:9/connect")
    assert may_be_opened(here, PAGE)
    assert may_be_opened(settings("up", {"url": "https://mcp.example.com"}), PAGE + "#part")
