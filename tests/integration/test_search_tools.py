"""Tools that are not listed: found, described and called through the three tools that do that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from api_calls import calls_of
from granting import allow
from mcp import MCPError
from mcp_world import SCOPES, Person, Upstream, World, text, world

from jupyter_valet.broker.toolsets import toolsets
from jupyter_valet.wire.mcp import LIST_ALL, META_LIST

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
ISSUES = {"name": "demo_list_issues", "arguments": {"project": "tidepool"}}
NEW = {"project": "tidepool", "title": "Kelp"}
MANY = 450


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream().running() as running:
        yield running


@pytest.fixture
async def here(tmp_path: Path, upstream: Upstream) -> AsyncIterator[World]:
    """The demo's toolset, which is not listed, beside GitHub's, which is."""
    async with world(tmp_path, upstream) as built:
        known = {t.name: t for t in toolsets(built.known)}
        _offer(
            built,
            replace(known["demo"], listing="none"),
            replace(known["github"], listing="all"),
        )
        async with built.serving():
            yield built


def _offer(built: World, *offered: Any) -> None:
    built.calls = calls_of(offered, built.connections, built.egress, built.known, built.policy)


async def _names(client: Any, **params: Any) -> list[str]:
    return [tool.name for tool in (await client.list_tools(**params)).tools]


@BOTH
async def test_what_is_not_listed_is_found_described_and_called(here: World, mode: str) -> None:
    """A client that reads the list alone gets to every tool."""
    here.connect()
    async with here.client(here.kernel(), mode) as client:
        names = await _names(client)
        found = await client.call_tool("valet_search_tools", {"query": "issues of a project"})
        described = await client.call_tool("valet_describe_tool", {"name": "demo_list_issues"})
        called = await client.call_tool("valet_call_tool", ISSUES)
        direct = await client.call_tool("demo_list_issues", ISSUES["arguments"])
    assert "github_list_issues" in names
    assert not [name for name in names if name.startswith("demo_")]
    assert found.structured_content["tools"][0] == {
        "name": "demo_list_issues",
        "does": "List the issues of a project, newest first",
        "needs": "project: string",
        "takes": "state, limit",
    }
    assert described.structured_content["inputSchema"]["required"] == ["project"]
    assert text(called) == text(direct) == '[{"number":1,"title":"Tides"}]'


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_nothing_is_said_of_a_search_where_all_is_listed(
    tmp_path: Path, upstream: Upstream, mode: str
) -> None:
    """The three tools and the instructions about them are there when there is something to find."""
    async with world(tmp_path, upstream) as built:
        _offer(built, *(replace(t, listing="all") for t in toolsets(built.known)))
        async with built.serving(), built.client(built.kernel(), mode) as client:
            assert not [name for name in await _names(client) if name.startswith("valet_")]
            assert client.instructions is not None
            assert "search" not in client.instructions
    hidden = [replace(t, listing="none") for t in toolsets(built.known)]
    async with world(tmp_path / "2", upstream) as built:
        _offer(built, *hidden)
        async with built.serving(), built.client(built.kernel(), mode) as client:
            assert len(await _names(client)) == 3
            assert "valet_search_tools" in (client.instructions or "")


@BOTH
async def test_a_called_tools_sign_in_is_the_outer_calls(here: World, mode: str) -> None:
    """ES-02, MS-01: the question is asked for the call that came, which finishes."""
    person = Person(here)
    async with here.client(here.kernel(), mode, person) as client:
        result = await client.call_tool("valet_call_tool", ISSUES)
    assert not result.is_error
    assert text(result) == '[{"number":1,"title":"Tides"}]'
    assert len(person.seen) == 1
    used = [data for _, data in here.events if data["action"] == "connection.used"]
    assert [data["tool"] for data in used] == ["demo_list_issues"]


@BOTH
async def test_a_write_through_it_needs_what_a_write_needs(here: World, mode: str) -> None:
    """A grant to read asks for each write, whichever name the call has."""
    here.granting = False
    token, connection = here.kernel(), here.connect(scopes=SCOPES | {"issues:write"})
    allow(here.policy, here.callers[0], connection, access="read")
    for name, arguments in (
        ("demo_create_issue", NEW),
        ("valet_call_tool", {"name": "demo_create_issue", "arguments": NEW}),
    ):
        async with here.client(token, mode) as client:
            result = await client.call_tool(name, arguments)
        assert result.is_error
        assert text(result).startswith("approval_required:"), text(result)
    assert here.upstream.requests == []


@BOTH
@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("valet_call_tool", {"name": "demo_list_issues"}, "demo_list_issues: project is missing"),
        (
            "valet_call_tool",
            {**ISSUES, "arguments": {"project": "p", "colour": 1}},
            "it takes only project, state, limit",
        ),
        ("valet_call_tool", {"name": "demo_lst_issues"}, "Did you mean demo_list_issues"),
        ("valet_call_tool", {"name": "valet_call_tool"}, "There is no tool named valet_call_tool"),
        ("valet_describe_tool", {"name": "x\u202ey"}, r"There is no tool named 'x\u202ey'"),
        ("valet_describe_tool", {}, "name is missing"),
        ("valet_search_tools", {"query": "x", "toolset": "nowhere"}, "no toolset named nowhere"),
        ("valet_search_tools", {"query": "x" * 401}, "query must have at most 400 characters"),
        ("valet_search_tools", {"query": "x", "limit": 26}, "limit must be at most 25"),
    ],
)
async def test_what_is_wrong_is_named_before_anything_is_sent(
    here: World, mode: str, tool: str, arguments: dict[str, Any], words: str
) -> None:
    """As for a direct call, in the called tool's own words."""
    here.connect()
    async with here.client(here.kernel(), mode) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert words in text(result)
    assert here.upstream.requests == []


@BOTH
async def test_a_toolset_narrows_a_search(here: World, mode: str) -> None:
    """The same words, looked for in one toolset only."""
    async with here.client(here.kernel(), mode) as client:
        for toolset in ("demo", "github"):
            result = await client.call_tool(
                "valet_search_tools", {"query": "new issue", "toolset": toolset, "limit": 25}
            )
            tools = result.structured_content["tools"]
            assert tools
            assert {tool["name"].partition("_")[0] for tool in tools} == {toolset}
            created = next(tool for tool in tools if tool["name"].endswith("create_issue"))
            assert created["writes"] is True


@BOTH
async def test_a_full_listing_comes_in_pages(tmp_path: Path, upstream: Upstream, mode: str) -> None:
    """server/utilities/pagination: opaque cursors, every tool once, a bad cursor is -32602."""
    async with world(tmp_path, upstream) as built:
        [demo] = [t for t in toolsets(built.known) if t.name == "demo"]
        one = demo.operations[0]
        many = tuple(replace(one, name=f"one_{number:04}") for number in range(MANY))
        _offer(built, replace(demo, operations=many, listing="all"))
        async with built.serving(), built.client(built.kernel(), mode) as client:
            seen, cursor = [], None
            while True:
                page = await client.list_tools(cursor=cursor)
                seen += [tool.name for tool in page.tools]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert seen == [f"demo_one_{number:04}" for number in range(MANY)]
            for bad in ("nonsense", "=", "AAAA"):
                with pytest.raises(MCPError) as refused:
                    await client.list_tools(cursor=bad)
                assert refused.value.error.code == -32602


async def test_one_who_asks_for_all_gets_all(here: World) -> None:
    """The kernel's own client does: `tools.<toolset>.<tool>` is not for models."""
    async with here.client(here.kernel(), "2026-07-28") as client:
        names = await _names(client, meta={META_LIST: LIST_ALL})
    assert {"demo_list_issues", "github_list_issues", "valet_search_tools"} <= set(names)
    assert len(set(names)) == len(names)
