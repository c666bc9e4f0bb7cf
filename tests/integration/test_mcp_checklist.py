"""Rows of the MCP checklist that no other test shows; docs/testing.md has the whole list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp_world import Person, World, last_message, modern_request, served

pytestmark = pytest.mark.anyio

ISSUES = {"project": "tidepool"}
BOTH = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
SERVER = "io.modelcontextprotocol/serverInfo"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        yield built


def questions(reply: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = reply["result"].get("inputRequests", {})
    return found


@BOTH
async def test_nothing_is_ever_asked_by_a_form(here: World, mode: str) -> None:
    """ES-01: the SDK's client declares form and url alike, and is asked by URL alone."""
    person = Person(here)
    async with here.client(here.kernel(), mode, person) as client:
        assert not (await client.call_tool("demo_list_issues", ISSUES)).is_error
    assert [asked.mode for asked in person.seen] == ["url"]
    assert b"requestedSchema" not in here.sent
    assert b'"form"' not in here.sent


async def test_one_person_s_sign_in_is_nobody_else_s(here: World) -> None:
    """ES-15: what is stored belongs to a person; the same question of another is another."""
    jane, joe = here.kernel("k1", "jane"), here.kernel("k2", "joe")
    first, second = await here.post(jane), await here.post(joe)
    assert questions(first) != questions(second)
    here.sign_in(principal="jane")
    assert [t.principal for t in here.pending("joe")] == ["joe"]
    assert questions(await here.post(joe))
    assert "inputRequests" not in (await here.post(jane))["result"]


async def test_who_a_client_says_it_is_counts_for_nothing(here: World) -> None:
    """ES-19: names in `_meta`, arguments and headers do not reach another person's connection."""
    here.connect(principal="jane")
    async with here.http(here.kernel("k2", "joe")) as http:
        request = modern_request(http, here.url)
        request.headers.update({"X-Forwarded-User": "jane", "Remote-User": "jane"})
        assert questions(last_message((await http.send(request)).text))
    client = {"io.modelcontextprotocol/clientInfo": {"name": "jane", "version": "jane"}}
    reply = await here.post(here.kernel("k3", "joe"), principal="jane", sub="jane", user=client)
    assert questions(reply)
    assert here.upstream.requests == []


async def test_what_belongs_together_is_told_by_the_state_alone(here: World) -> None:
    """PS-02: a retry on a new connection finishes with the state, and asks anew without it."""
    token = here.kernel()
    asked = await here.post(token)
    [key] = questions(asked)
    answers = {key: {"action": "accept"}}
    here.sign_in()
    state = asked["result"]["requestState"]
    reply = await here.post(token, inputResponses=answers, requestState=state)
    assert not reply["result"].get("isError")
    assert len(here.upstream.requests) == 1


async def test_discover_says_who_answers_and_every_result_repeats_it(here: World) -> None:
    """PS-04: `server/discover` is implemented, and results are stamped with `serverInfo`."""
    token = here.kernel()
    async with here.http(token) as http:
        request = modern_request(http, here.url)
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        reply = await http.post(
            here.url,
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "server/discover",
                "params": {"_meta": meta},
            },
            headers={
                "Accept": request.headers["Accept"],
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": "server/discover",
            },
        )
    found = last_message(reply.text)["result"]
    assert "2026-07-28" in found["supportedVersions"]
    assert found["capabilities"]["tools"] is not None
    assert found["_meta"][SERVER]["name"] == "jupyter-valet"
    here.connect()
    called = await here.post(token)
    assert called["result"]["_meta"][SERVER]["name"] == "jupyter-valet"


async def test_a_sign_in_that_never_comes_back_is_no_success(here: World) -> None:
    """MS-07, ES-14: an answer that says `accept` proves nothing; the vault decides."""
    token = here.kernel()
    asked = await here.post(token)
    [key] = questions(asked)
    state = asked["result"]["requestState"]
    transaction = here.pending()[0]
    here.transactions.end(transaction.id, "cancel")
    async with here.client(token, "2026-07-28") as client:
        assert (await client.list_tools()).tools
    reply = await here.post(token, inputResponses={key: {"action": "accept"}}, requestState=state)
    assert reply["result"]["isError"]
    assert here.upstream.requests == []
