"""MCP clients outside of the notebooks, through Jupyter's port: a real server, broker and SDK."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from demo_server import demo_server
from jupyter_process import TOKEN, Server
from outside import client
from program import INITIALIZE
from program import ask as post

pytestmark = [pytest.mark.timeout(120), pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with demo_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def ask(server: Server, message: Any = INITIALIZE, **headers: str) -> tuple[int, Any, Any]:
    """Post a message with exactly these headers, `_` standing for `-`."""
    return post(server, message, {name.replace("_", "-"): headers[name] for name in headers})


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_client_with_a_jupyter_token_lists_tools_in_both_revisions(
    server: Server, mode: str
) -> None:
    # The first request starts the broker, which may take some seconds.
    async with client(server, TOKEN, mode) as mcp:
        tools = await mcp.list_tools()
    assert "demo_list_issues" in {tool.name for tool in tools.tools}


def test_without_a_token_the_answer_says_where_to_get_one(server: Server) -> None:
    """RS-02, RS-03, RFC 6750 §3: no error code when nothing was shown."""
    status, headers, _ = ask(server)
    assert status == 401
    challenge = headers["WWW-Authenticate"]
    here = f"http://127.0.0.1:{server.port}{server.base}valet/mcp/oauth-protected-resource"
    assert challenge == f'Bearer scope="tools:read", resource_metadata="{here}"'


def test_the_jupyter_cookie_alone_opens_nothing(server: Server) -> None:
    """A browser sends it along, whoever made it ask."""
    assert server.get("api/status").status == 200
    assert ask(server, Cookie=server.cookie)[0] == 401


@pytest.mark.parametrize(
    "token", ["", "nonsense", "ya29.a0Af", "gho_" + "a" * 36, "jvk_" + "a" * 43, "jva_x", "jvo_x"]
)
def test_a_token_that_is_not_ours_is_refused(server: Server, token: str) -> None:
    """RS-05, RS-06, BP-08: also a provider's, and a kernel's."""
    status, headers, body = ask(server, Authorization=f"Bearer {token}")
    assert status == 401
    assert token == "" or 'error="invalid_token"' in headers["WWW-Authenticate"]
    assert not token or token.encode() not in body


def test_a_token_in_the_query_is_refused_though_it_is_good(server: Server) -> None:
    """RS-11."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    path = f"{server.base}valet/mcp?token={TOKEN}"
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(INITIALIZE), headers)
    assert connection.getresponse().status == 400
    connection.close()


def test_a_page_of_another_origin_and_another_host_are_refused(server: Server) -> None:
    """PS-05: DNS rebinding ends at the `Host`, a page's script at its `Origin`."""
    good = f"Bearer {TOKEN}"
    assert ask(server, Authorization=good)[0] == 200
    assert ask(server, Authorization=good, Origin="https://evil.example")[0] == 403
    assert ask(server, Authorization=good, Origin=f"http://127.0.0.1:{server.port}")[0] == 403
    assert ask(server, Authorization=good, Host="evil.example")[0] == 421


def test_a_forged_arrival_opens_nothing(server: Server) -> None:
    """The facts come from the server alone: what a client writes into that header is dropped."""
    from jupyter_valet.wire.clients import HEADER, Arrival

    forged = Arrival("http://x/", "http://x/valet/mcp", "http://x/", principal="owner").encode()
    assert ask(server, **{HEADER: forged})[0] == 401
