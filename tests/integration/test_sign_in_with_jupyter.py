"""Sign in with Jupyter: the SDK's client does the whole dance against a real server and broker."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread
import dance
import program
import pytest
from dance import Program, Storage
from demo_server import demo_server
from jupyter_process import Server
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull
from mcp_types import ElicitResult
from outside import grant, sign_in

pytestmark = [pytest.mark.timeout(120), pytest.mark.anyio]

MODES = ["legacy", "2026-07-28"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@asynccontextmanager
async def connected(editor: Program, mode: str, **how: Any) -> AsyncIterator[Client]:
    url = f"{editor.server.url}valet/mcp"
    async with editor.http as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, **how) as mcp:
            yield mcp


@pytest.mark.parametrize("mode", MODES)
async def test_the_sdk_finds_registers_signs_in_steps_up_and_calls_a_tool(
    server: Server, mode: str
) -> None:
    """AS-01, AS-05, AS-06, CL-01 … CL-12 from the other side, RS-08, S26 step-up.

    The SDK validates the metadata's issuer and the answer's `iss` by itself.
    """
    editor = Program(server)

    async def opens(context: Any, params: Any) -> ElicitResult:
        page = server.get(urlsplit(params.url).path.removeprefix(server.base)).body
        assert "SDK program (127.0.0.1)" in page
        if 'id="allow"' in page:  # a write
            return ElicitResult(action="decline")
        if 'id="grant"' in page:
            await anyio.to_thread.run_sync(grant, server, params.url, {})
        else:
            await anyio.to_thread.run_sync(sign_in, server, params.url)
        return ElicitResult(action="accept")

    async with connected(editor, mode, elicitation_callback=opens) as mcp:
        assert "demo_list_issues" in {tool.name for tool in (await mcp.list_tools()).tools}
        assert [asked["scope"] for asked in editor.asked] == ["tools:read"]
        read = await mcp.call_tool("demo_list_issues", {"project": "tidepool"})
        assert not read.is_error, read
        wrote = await mcp.call_tool("demo_create_issue", {"project": "tidepool", "title": "x"})
    assert wrote.is_error  # the person said no to the write; the scope is there
    assert "not for that tool" not in str(wrote.content)
    assert [set(asked["scope"].split()) for asked in editor.asked] == [
        {"tools:read"},
        {"tools:read", "tools:write:demo"},
    ]
    assert all(asked["resource"] == f"{server.url}valet/mcp" for asked in editor.asked)


async def test_a_program_that_is_known_beforehand_needs_no_registration(server: Server) -> None:
    """CL-05: pre-registered."""
    client_id = dance.registered(server)
    info = OAuthClientInformationFull(
        client_id=client_id,
        redirect_uris=[dance.REDIRECT],
        token_endpoint_auth_method="none",
        issuer=f"{server.url}valet/oauth",
    )
    editor = Program(server, Storage(client=info))
    async with connected(editor, "2026-07-28") as mcp:
        assert (await mcp.list_tools()).tools
    assert [asked["client_id"] for asked in editor.asked] == [client_id]


async def test_a_token_that_is_over_is_refreshed_without_the_person(server: Server) -> None:
    """AS-03: and the refresh token is another one after that."""
    editor = Program(server)
    async with connected(editor, "legacy") as mcp:
        first = editor.storage.tokens
        editor.auth.context.token_expiry_time = time.time() - 1
        assert (await mcp.list_tools()).tools
        second = editor.storage.tokens
    assert first
    assert second
    assert first.refresh_token != second.refresh_token
    assert first.access_token != second.access_token
    assert len(editor.asked) == 1


async def test_a_program_that_the_person_signs_out_must_ask_again(server: Server) -> None:
    """RS-11: its tokens end at once, and the page says which programs there are."""
    client_id = dance.registered(server, client_name="Old laptop")
    tokens = dance.signed_in(server, client_id)
    assert program.ask(server, token=tokens["access_token"])[0] == 200
    page = server.get("valet/connections").body
    entry = re.search(
        r"<bdi>Old laptop \(127\.0\.0\.1\)</bdi>.*?name=\"program\" value=\"([^\"]+)\"", page, re.S
    )
    assert entry
    assert "use all tools that read" in entry[0]
    assert dance.REDIRECT in entry[0]
    assert program.press(server, "program/end", program=entry[1]).status == 303
    assert "Old laptop" not in server.get("valet/connections").body
    assert program.ask(server, token=tokens["access_token"])[0] == 401
    again = dance.refresh(server, client_id, tokens["refresh_token"])
    assert (again.status, json.loads(again.body)["error"]) == (400, "invalid_grant")
