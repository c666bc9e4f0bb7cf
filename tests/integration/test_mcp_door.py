"""Who may call at all: MCP authorization in front of the endpoint."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from api_calls import calls_of
from mcp_world import CANARY, Upstream, World, modern_request, served, world
from program import INITIALIZE

from jupyter_valet.broker.toolsets import toolsets
from jupyter_valet.wire import capability

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        yield built


async def status(here: World, token: str | None, url: str = "", **headers: str) -> tuple[int, str]:
    async with here.http(token) as http:
        request = modern_request(http, url or here.url)
        request.headers.update(headers)
        reply = await http.send(request)
    return reply.status_code, reply.headers.get("www-authenticate", "")


async def test_without_a_credential_the_challenge_names_no_error(here: World) -> None:
    """RS-04, RS-07, BP-18, RFC 6750 §3.1."""
    assert await status(here, None) == (401, "Bearer")


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        CANARY,  # a provider's token: good upstream, worth nothing here (ES-20, BP-08)
        "gho_16C7e42F292c6912E7710c838347Ae178B4a",
        capability.mint(),  # the right form, but nobody's
        "jvt_" + capability.mint()[4:],  # another prefix
    ],
)
async def test_a_credential_of_another_kind_is_refused(here: World, token: str) -> None:
    """RS-04, RS-06: only what was minted for this listener opens it; deny by default (L13)."""
    here.connect()
    assert await status(here, token) == (401, 'Bearer error="invalid_token"')


async def test_a_kernel_that_stopped_may_not_call(here: World) -> None:
    """A capability ends with its kernel, in the middle of a session too (PS-01)."""
    token = here.kernel()
    here.connect()
    assert (await status(here, token))[0] == 200
    here.kernels.revoke("k1")
    assert (await status(here, token))[0] == 401


@pytest.mark.parametrize("name", ["access_token", "token", "TOKEN", "capability"])
async def test_a_token_in_the_query_is_refused_even_beside_a_good_one(
    here: World, name: str
) -> None:
    """RS-11: URLs end up in logs."""
    token = here.kernel()
    code, _ = await status(here, token, f"{here.url}?{name}={token}")
    assert code == 400


async def test_two_authorization_headers_are_refused(here: World) -> None:
    """Whose call it is must not depend on who reads which header."""
    token = here.kernel()
    async with here.http(None) as http:
        request = modern_request(http, here.url)
        request.headers = type(request.headers)(
            [
                *request.headers.multi_items(),
                ("Authorization", f"Bearer {token}"),
                ("Authorization", f"Bearer {token}"),
            ]
        )
        assert (await http.send(request)).status_code == 401


@pytest.mark.parametrize("scheme", ["Basic", "token", ""])
async def test_another_scheme_is_refused(here: World, scheme: str) -> None:
    """RFC 6750 §2.1."""
    token = here.kernel()
    assert (await status(here, None, Authorization=f"{scheme} {token}".strip()))[0] == 401


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:8888", "null"])
async def test_a_browser_is_refused(here: World, origin: str) -> None:
    """PS-05: no page has business here, not even Jupyter's own."""
    assert (await status(here, here.kernel(), Origin=origin))[0] == 403


async def test_the_listener_s_own_origin_is_no_page_s(here: World) -> None:
    """PS-05: nothing that it serves is a page; the official suite names it, as programs may."""
    here.connect()
    own = here.url.removesuffix("/mcp")
    assert (await status(here, here.kernel(), Origin=own))[0] == 200
    other = own.replace("127.0.0.1", "localhost")
    assert (await status(here, here.kernel(), Origin=other))[0] == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:1", "localhost", "127.0.0.1.evil.example"]
)
async def test_another_host_is_refused(here: World, host: str) -> None:
    """PS-05: DNS rebinding ends at the Host header."""
    assert (await status(here, here.kernel(), Host=host))[0] == 421


async def test_localhost_is_us(here: World) -> None:
    """The other name of the loopback listener."""
    here.connect()
    port = here.url.split(":")[2].split("/")[0]
    assert (await status(here, here.kernel(), Host=f"localhost:{port}"))[0] == 200


async def test_a_session_belongs_to_the_kernel_that_opened_it(here: World) -> None:
    """RS-12, BP-16, ES-16: a session id is no credential, not between a person's kernels either."""
    accept = {"Accept": "application/json, text/event-stream"}
    first, second = here.kernel("k1"), here.kernel("k2")
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    async with here.http(first, **accept) as http:
        opened = await http.post(here.url, json=INITIALIZE)
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
        assert (await http.post(here.url, json=ready, headers=session)).status_code == 202
    async with here.http(second, **accept) as http:
        assert (await http.post(here.url, json=ready, headers=session)).status_code == 404


@pytest.mark.parametrize(
    ("drop", "code"),
    [("io.modelcontextprotocol/clientCapabilities", -32602), ("Mcp-Method", -32020)],
)
async def test_a_request_that_is_not_whole_is_refused(here: World, drop: str, code: int) -> None:
    """PS-03: missing `_meta` and headers that do not match."""
    async with here.http(here.kernel()) as http:
        request = modern_request(http, here.url)
        if drop in request.headers:
            del request.headers[drop]
            content = request.content
        else:
            message = json.loads(request.content)
            del message["params"]["_meta"][drop]
            content = json.dumps(message).encode()
        headers = {k: v for k, v in request.headers.items() if k.lower() != "content-length"}
        reply = await http.post(here.url, content=content, headers=headers)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == code


async def test_a_body_without_end_is_refused(here: World) -> None:
    """Four megabytes are enough for any call."""
    async with here.http(here.kernel()) as http:
        reply = await http.post(
            here.url, content=b"x" * 5_000_000, headers={"Content-Type": "application/json"}
        )
    assert reply.status_code == 413


async def test_a_header_that_a_tool_declares_must_agree_with_its_argument(tmp_path: Path) -> None:
    """streamable-http, `Mcp-Param-*` (MC-06): who routes by the header routes the call as made."""
    async with Upstream().running() as upstream, world(tmp_path, upstream) as here:
        [demo] = [toolset for toolset in toolsets(here.known) if toolset.name == "demo"]
        operations = {operation.name: operation for operation in demo.operations}
        listed = operations["list_issues"]
        project, *others = listed.parameters
        project = replace(project, schema={**project.schema, "x-mcp-header": "Project"})
        listed = replace(listed, parameters=(project, *others))
        demo = replace(demo, operations=(listed, operations["get_issue"]))
        here.calls = calls_of([demo], here.connections, here.egress, here.known, here.policy)
        here.connect()
        async with here.serving():
            token = here.kernel()
            assert (await status(here, token))[0] == 400
            assert (await status(here, token, **{"Mcp-Param-Project": "another"}))[0] == 400
            assert (await status(here, token, **{"Mcp-Param-Project": "tidepool"}))[0] == 200
    assert len(upstream.requests) == 1
