"""`requestState` on 2026-07-28: bound, single use, and longer-lived than the broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_world import Upstream, World, world

pytestmark = pytest.mark.anyio

ACCEPT = {"connect": {"action": "accept"}}
REFUSED = {
    "code": -32602,
    "message": "Invalid or expired requestState",
    "data": {"reason": "invalid_request_state"},
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with (
        Upstream().running() as upstream,
        world(tmp_path, upstream) as built,
        built.serving(poll=0.2),
    ):
        yield built


async def asked(here: World, token: str) -> str:
    reply = await here.post(token)
    assert reply["result"]["resultType"] == "input_required"
    assert list(reply["result"]["inputRequests"]) == ["connect"]
    return str(reply["result"]["requestState"])


async def test_a_state_that_was_used_is_worth_nothing(here: World) -> None:
    """MS-06: one call, one effect; a replay is refused and reaches no upstream."""
    token = here.kernel()
    state = await asked(here, token)
    here.sign_in()
    first = await here.post(token, requestState=state, inputResponses=ACCEPT)
    again = await here.post(token, requestState=state, inputResponses=ACCEPT)
    assert first["result"]["structuredContent"] == [{"number": 1, "title": "Tides"}]
    assert again["error"] == REFUSED
    assert len(here.upstream.requests) == 1


async def test_of_many_replays_at_once_one_has_an_effect(here: World) -> None:
    """MS-06, without a race."""
    token = here.kernel()
    state = await asked(here, token)
    replies: list[dict[str, Any]] = []

    async def replay() -> None:
        replies.append(await here.post(token, requestState=state, inputResponses=ACCEPT))

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(replay)
        await anyio.sleep(0.05)
        here.sign_in()
    assert sum("error" in reply for reply in replies) == 7
    assert len(here.upstream.requests) == 1


async def test_an_earlier_state_of_a_polled_call_is_spent_with_it(here: World) -> None:
    """MS-06: the states of all legs of one call share its one effect."""
    token = here.kernel()
    first = await asked(here, token)
    leg = await here.post(token, requestState=first, inputResponses=ACCEPT)
    second = leg["result"]["requestState"]
    assert "inputRequests" not in leg["result"]  # state only: poll, do not ask again (MS-03)
    here.sign_in()
    assert "result" in await here.post(token, requestState=second)
    replay = await here.post(token, requestState=first, inputResponses=ACCEPT)
    assert replay["error"] == REFUSED
    assert len(here.upstream.requests) == 1


async def test_a_state_is_good_for_its_own_arguments_only(here: World) -> None:
    """MS-05: bound to the originating request."""
    token = here.kernel()
    state = await asked(here, token)
    here.sign_in()
    other = {"project": "gauges"}
    reply = await here.post(token, arguments=other, requestState=state, inputResponses=ACCEPT)
    tool = await here.post(
        token, tool="demo_list_projects", requestState=state, inputResponses=ACCEPT
    )
    assert reply["error"] == REFUSED
    assert tool["error"] == REFUSED
    assert here.upstream.requests == []


@pytest.mark.parametrize("principal", ["jane", "mallory"])
async def test_a_state_is_good_for_its_own_kernel_only(here: World, principal: str) -> None:
    """ES-24, MS-05, BP-15: neither another kernel nor another person takes the call up."""
    state = await asked(here, here.kernel())
    here.sign_in()
    other = here.kernel("k2", principal)
    reply = await here.post(other, requestState=state, inputResponses=ACCEPT)
    assert reply["error"] == REFUSED
    assert here.upstream.requests == []


@pytest.mark.parametrize("change", ["flip", "cut", "empty", "plain", "number"])
async def test_a_state_that_was_changed_is_refused(here: World, change: str) -> None:
    """MS-04: attacker input, authenticated."""
    token = here.kernel()
    state: Any = await asked(here, token)
    here.sign_in()
    broken = {
        "flip": state[:-4] + ("A" if state[-4] != "A" else "B") + state[-3:],
        "cut": state[:40],
        "empty": "",
        "plain": '{"transaction":"x","asked":{},"accepted":true,"call":"y"}',
        "number": 7,
    }[change]
    reply = await here.post(token, requestState=broken, inputResponses=ACCEPT)
    assert reply["error"]["code"] == -32602
    assert here.upstream.requests == []


async def test_an_answer_without_a_state_is_a_new_call(here: World) -> None:
    """MS-10: nothing is taken from an answer to a question we do not know of."""
    reply = await here.post(here.kernel(), inputResponses=ACCEPT)
    assert reply["result"]["resultType"] == "input_required"


async def test_a_missing_answer_is_asked_for_again(here: World) -> None:
    """MS-08, MS-09, MS-10: not an error, and other keys are ignored; the URL stays the same."""
    token = here.kernel()
    first = await here.post(token)
    state = first["result"]["requestState"]
    other = {"elsewhere": {"action": "accept"}}
    reply = await here.post(token, requestState=state, inputResponses=other)
    assert reply["result"]["inputRequests"] == first["result"]["inputRequests"]


async def test_an_answer_of_another_kind_is_malformed(here: World) -> None:
    """MS-08: a JSON-RPC error."""
    token = here.kernel()
    state = await asked(here, token)
    reply = await here.post(token, requestState=state, inputResponses={"connect": {"roots": []}})
    assert reply["error"]["code"] == -32602


async def test_the_same_question_is_one_question(here: World) -> None:
    """The calls of one kernel that lack the same thing show one URL."""
    token = here.kernel()
    urls = {
        (await here.post(token))["result"]["inputRequests"]["connect"]["params"]["url"]
        for _ in range(3)
    }
    assert len(urls) == 1


async def test_a_restart_continues_the_sign_in(tmp_path: Path) -> None:
    """The key is the vault's: a retry is accepted by the next process, and by it once only."""
    async with Upstream().running() as upstream:
        async with world(tmp_path, upstream) as before, before.serving():
            token = before.kernel()
            state = await asked(before, token)
        async with world(tmp_path, upstream) as after, after.serving():
            token = after.kernel()  # the server declares the kernels again
            after.sign_in()
            reply = await after.post(token, requestState=state, inputResponses=ACCEPT)
            again = await after.post(token, requestState=state, inputResponses=ACCEPT)
    assert reply["result"]["structuredContent"] == [{"number": 1, "title": "Tides"}]
    assert again["error"] == REFUSED


async def test_a_decline_on_the_page_reaches_the_call_that_polls(here: World) -> None:
    """ES-14: whatever ends the sign-in ends the call, with words."""
    token = here.kernel()
    state = await asked(here, token)
    here.transactions.update(here.pending()[0].declined())
    reply = await here.post(token, requestState=state, inputResponses=ACCEPT)
    assert reply["result"]["content"][0]["text"].startswith("declined: ")


async def test_no_leg_answers_with_the_older_revisions_error(here: World) -> None:
    """ES-11: -32042 never leaves on 2026-07-28, whoever asks and however it ends."""
    token = here.kernel()
    for capabilities in ({}, {"elicitation": {}}, {"elicitation": {"url": {}}}):
        await here.post(token, capabilities=capabilities)
    state = await asked(here, token)
    for action in ("accept", "cancel", "decline"):
        await here.post(token, requestState=state, inputResponses={"connect": {"action": action}})
    assert b"-32042" not in here.sent
