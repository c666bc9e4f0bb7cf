"""A tool call that needs a sign-in, with the SDK's own client, in both protocol revisions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_world import CANARY, SCOPES, Person, Upstream, World, served, text, world

from jupyter_valet.wire.held import PATIENCE
from jupyter_valet.wire.mcp import META_ERROR, META_PROVIDER, META_TOOL, META_TOOLSET

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
ISSUES = {"project": "tidepool"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        yield built


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path, hold=30) as built:
        yield built


@BOTH
async def test_the_call_that_asked_is_the_call_that_finishes(here: World, mode: str) -> None:
    """ES-02, ES-04, ES-06, ES-12, ES-23, ES-33, MS-01, MS-03."""
    person = Person(here)
    async with here.client(here.kernel(), mode, person) as client:
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert not result.is_error
    assert result.structured_content in (
        [{"number": 1, "title": "Tides"}],
        {"result": [{"number": 1, "title": "Tides"}]},
    )
    assert text(result) == '[{"number":1,"title":"Tides"}]'
    assert len(person.seen) == 1
    assert person.seen[0].url.startswith("http://127.0.0.1:8888/user/jane/valet/connect/")
    assert person.seen[0].mode == "url"
    assert "connection.used" in here.actions()


@BOTH
async def test_a_connected_account_is_used_without_asking(here: World, mode: str) -> None:
    """Nothing is elicited when nothing is missing."""
    here.connect()
    person = Person(here)
    async with here.client(here.kernel(), mode, person) as client:
        assert not (await client.call_tool("demo_list_issues", ISSUES)).is_error
    assert person.seen == []


@BOTH
@pytest.mark.parametrize(("action", "code"), [("decline", "declined"), ("cancel", "cancelled")])
async def test_a_refusal_ends_the_call_and_the_sign_in(
    here: World, mode: str, action: str, code: str
) -> None:
    """ES-14: decline and cancel are results, not surprises; nothing reaches the upstream."""
    async with here.client(here.kernel(), mode, Person(here, action)) as client:
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert result.is_error
    assert text(result).startswith(f"{code}: The sign-in to Demo")
    assert result.meta[META_ERROR]["error"]["code"] == code
    assert here.pending() == []
    assert here.upstream.requests == []


@BOTH
async def test_a_client_that_cannot_ask_is_held_and_then_told(here: World, mode: str) -> None:
    """ES-03, ES-11, ES-13, frameworks D3/D4: a result a model can act on, without any URL."""
    progress: list[Any] = []

    async def on_progress(*told: Any) -> None:
        progress.append(told)

    async with here.client(here.kernel(), mode) as client:
        started = anyio.current_time()
        result = await client.call_tool("demo_list_issues", ISSUES, progress_callback=on_progress)
    assert anyio.current_time() - started >= 0.3
    assert progress
    assert result.is_error
    assert text(result).startswith("authorization_required: ")
    assert "http" not in text(result)
    assert result.meta[META_ERROR]["error"]["code"] == "authorization_required"
    assert b"-32042" not in here.sent
    assert b"valet/connect" not in here.sent


@BOTH
async def test_the_hold_ends_as_soon_as_the_person_has_signed_in(patient: World, mode: str) -> None:
    """frameworks D3: a sign-in elsewhere during the hold lets the same call finish."""

    async def elsewhere() -> None:
        await patient.until_pending()
        patient.transactions.complete_covered(patient.connect(), patient.known["demo"])

    async with patient.client(patient.kernel(), mode) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(elsewhere)
        began = anyio.current_time()
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert not result.is_error
    assert anyio.current_time() - began < 20


@BOTH
async def test_a_client_that_says_how_long_it_waits_is_held_that_long(
    here: World, mode: str
) -> None:
    """A sign-in that takes longer than the short hold, by a client that cannot ask."""

    async def slowly() -> None:
        await here.until_pending()
        await anyio.sleep(2 * 0.3)
        here.transactions.complete_covered(here.connect(), here.known["demo"])

    http = here.http(here.kernel(), **{PATIENCE: "20"})
    transport = streamable_http_client(here.url, http_client=http)
    async with http, Client(transport, mode=mode) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(slowly)
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert not result.is_error


@BOTH
async def test_a_client_may_say_that_nobody_is_there(patient: World, mode: str) -> None:
    """Then it is told at once, and the question waits on the page of connections."""
    http = patient.http(patient.kernel(), **{PATIENCE: "0"})
    transport = streamable_http_client(patient.url, http_client=http)
    async with http, Client(transport, mode=mode) as client:
        began = anyio.current_time()
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert anyio.current_time() - began < 20
    assert text(result).startswith("authorization_required: ")
    assert len(patient.pending()) == 1


async def test_form_mode_alone_is_not_url_mode(here: World) -> None:
    """ES-03: `elicitation: {}` means form only, so no URL is sent."""
    capability = {"elicitation": {"form": {}}}
    reply = await here.post(here.kernel(), capabilities=capability)
    assert reply["result"]["isError"]
    assert "inputRequests" not in reply["result"]


async def test_the_older_revision_gets_an_id_and_its_completion(here: World) -> None:
    """ES-07, ES-08: each question has its own id, and its end is told with that id."""
    ended: list[str] = []

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ElicitCompleteNotification):
            ended.append(message.params.elicitation_id)

    person = Person(here)
    async with here.client(here.kernel(), "legacy", person, message_handler=on_message) as client:
        await client.call_tool("demo_list_issues", ISSUES)
        with anyio.fail_after(20):
            while not ended:  # noqa: ASYNC110 - the client tells by calling
                await anyio.sleep(0.01)
    assert ended == [person.seen[0].elicitation_id]
    assert ended[0] not in person.seen[0].url


async def test_one_sign_in_finishes_every_call_that_waits_for_it(here: World) -> None:
    """Two notebooks ask for the same connection at once: one card finishes both."""
    results: list[Any] = []

    async def wait_only(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept")

    async def call(kernel: str, mode: str, answer: Any) -> None:
        async with here.client(here.kernel(kernel), mode, answer) as client:
            results.append(await client.call_tool("demo_list_issues", ISSUES))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "k1", "legacy", wait_only)
        tasks.start_soon(call, "k2", "2026-07-28", wait_only)
        with anyio.fail_after(20):
            await here.until_pending(2)
        here.sign_in()
    assert [result.is_error for result in results] == [False, False]


async def test_a_question_that_another_card_answered_is_withdrawn(here: World) -> None:
    """The older revision's call does not hang on a dialog nobody needs any more."""

    async def never(context: Any, params: Any) -> types.ElicitResult:
        await anyio.sleep_forever()
        raise AssertionError

    async def elsewhere() -> None:
        await here.until_pending()
        here.sign_in()

    async with (
        here.client(here.kernel(), "legacy", never) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(elsewhere)
        with anyio.fail_after(20):
            assert not (await client.call_tool("demo_list_issues", ISSUES)).is_error


async def test_a_client_that_fails_to_ask_counts_as_cancelled(here: World) -> None:
    """ES-14: a client failure is handled, success is not assumed."""

    async def broken(context: Any, params: Any) -> types.ErrorData:
        return types.ErrorData(code=types.INTERNAL_ERROR, message="no display")

    async with here.client(here.kernel(), "legacy", broken) as client:
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert text(result).startswith("cancelled: ")


@BOTH
async def test_a_sign_in_that_takes_longer_than_one_leg_is_polled_for(
    tmp_path: Path, mode: str
) -> None:
    """MS-07, section 0 fact 4: the server blocks in the retried leg, then asks for a retry."""
    async with (
        Upstream().running() as upstream,
        world(tmp_path, upstream) as here,
        here.serving(poll=0.2),
    ):
        person = Person(here, delay=0.7)
        async with here.client(here.kernel(), mode, person) as client:
            result = await client.call_tool("demo_list_issues", ISSUES)
    assert not result.is_error
    assert len(person.seen) == 1


@BOTH
async def test_a_scope_that_upstream_wants_is_asked_for_in_the_same_call(
    here: World, mode: str
) -> None:
    """Step-up: the union of what there is and what is missing (CL-17), then the same call."""
    here.connect()
    wanted = SCOPES | {"issues:write"}
    person = Person(here, scopes=wanted)
    async with here.client(here.kernel(), mode, person) as client:
        result = await client.call_tool("demo_create_issue", {**ISSUES, "title": "Drift"})
    assert not result.is_error
    assert "Create and change issues in your name" in person.seen[0].message
    assert len(here.upstream.requests) == 1


@BOTH
async def test_a_box_left_unticked_is_said_and_not_asked_for_again(here: World, mode: str) -> None:
    """L17: at most once per call; the next step is in the words."""
    here.connect()
    person = Person(here)  # signs in again without issues:write
    async with here.client(here.kernel(), mode, person) as client:
        result = await client.call_tool("demo_create_issue", {**ISSUES, "title": "Drift"})
    assert text(result).startswith(
        "scope_missing: This tool still needs Create and change issues in your name"
    )
    assert len(person.seen) == 1


@BOTH
async def test_a_credential_that_upstream_refuses_leads_to_a_new_sign_in(
    here: World, mode: str
) -> None:
    """L17: 401 → one forced refresh, which is not possible here → the person, with the reason."""
    here.connect()
    here.upstream.tokens.clear()
    person = Person(here, token="fresh-" + CANARY)
    async with here.client(here.kernel(), mode, person) as client:
        result = await client.call_tool("demo_list_issues", ISSUES)
    assert not result.is_error
    assert "no longer accepts the sign-in" in person.seen[0].message
    assert len(here.upstream.requests) == 2


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_tools_say_what_they_are(here: World, mode: str) -> None:
    """Names, toolset, provider, and whether a tool only reads; instructions for the model."""
    async with here.client(here.kernel(), mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        instructions = client.instructions
    issues = tools["demo_list_issues"]
    assert issues.meta == {
        META_TOOLSET: "demo",
        META_TOOL: "list_issues",
        META_PROVIDER: "demo",
    }
    assert issues.annotations is not None
    assert issues.annotations.read_only_hint is True
    assert tools["demo_create_issue"].annotations.read_only_hint is False
    assert issues.input_schema["additionalProperties"] is False
    assert instructions is not None
    assert "do not retry" in instructions


@BOTH
async def test_bad_arguments_are_named_and_never_sent(here: World, mode: str) -> None:
    """A fixed text that names the parameter; nothing of the value is echoed."""
    here.connect()
    async with here.client(here.kernel(), mode) as client:
        missing = await client.call_tool("demo_list_issues", {})
        wrong = await client.call_tool("demo_list_issues", {**ISSUES, "limit": "<script>"})
        unknown = await client.call_tool("demo_list_issues", {**ISSUES, "host": "evil.example"})
    assert text(missing).startswith("bad_arguments: demo_list_issues: project is missing.")
    assert "limit must be of type integer" in text(wrong)
    assert "<script>" not in text(wrong)
    assert "takes only project, state, limit" in text(unknown)
    assert here.upstream.requests == []


@BOTH
async def test_an_unknown_tool_is_a_protocol_error(here: World, mode: str) -> None:
    """-32602, as the specification says."""
    async with here.client(here.kernel(), mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("demo_delete_everything", {})
    assert caught.value.code == types.INVALID_PARAMS


@BOTH
async def test_64_calls_at_once(here: World, mode: str) -> None:
    """No call fails, none waits for another's connection."""
    here.connect()
    results: list[Any] = []
    async with here.client(here.kernel(), mode) as client, anyio.create_task_group() as tasks:

        async def one() -> None:
            results.append(await client.call_tool("demo_list_issues", ISSUES))

        for _ in range(64):
            tasks.start_soon(one)
    assert [result.is_error for result in results] == [False] * 64
