"""The parts of the bridge that need no process: which server, which headers, which refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp_types import JSONRPCRequest, JSONRPCResponse

from jupyter_valet.stdio.reaching import Reaching
from jupyter_valet.stdio.servers import KEY, Entrance, choose, token
from jupyter_valet.stdio.stamping import Stamps
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

ONE = {"url": "http://127.0.0.1:8888/", "port": 8888, "root_dir": "/home/jane"}
TWO = {"url": "http://127.0.0.1:9999/x/", "port": 9999, "root_dir": "/home/jane/project"}
MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("wanted", "here", "port"),
    [
        ("", "/home/jane", 8888),
        ("", "/home/jane/project/src", 9999),
        ("9999", "/", 9999),
        ("http://127.0.0.1:8888", "/home/jane/project", 8888),
    ],
)
def test_the_server_whose_folder_this_is_or_that_is_named(
    wanted: str, here: str, port: int
) -> None:
    assert choose([ONE, TWO], wanted, Path(here))["port"] == port


def test_nothing_is_guessed_between_several() -> None:
    with pytest.raises(ValetError, match=r"9999.*8888.*--server") as raised:
        choose([TWO, ONE], "", Path("/somewhere"))
    assert raised.value.code == "several_servers"
    assert choose([ONE], "", Path("/somewhere")) is ONE


def test_a_key_is_shown_rather_than_jupyter_s_token() -> None:
    assert token({"base_url": "/", "token": "jupyters"}, {}) == "jupyters"
    assert token({"base_url": "/", "token": "jupyters"}, {KEY: "jva_mine"}) == "jva_mine"
    assert token({"base_url": "/", "token": ""}, {}) == ""


def test_in_a_terminal_of_the_hub_s_server_the_hub_s_token_opens_it_and_no_other() -> None:
    told = {"JUPYTERHUB_SERVICE_PREFIX": "/user/jane/", "JUPYTERHUB_API_TOKEN": "hubs"}
    assert token({"base_url": "/user/jane/", "token": ""}, told) == "hubs"
    assert token({"base_url": "/", "token": ""}, told) == ""


def test_a_token_is_not_in_what_an_entrance_shows() -> None:
    assert "hush" not in repr(Entrance("http://x/", "hush"))


def request(method: str, **params: Any) -> JSONRPCRequest:
    return JSONRPCRequest(jsonrpc="2.0", id=1, method=method, params=params)


def test_a_message_of_2026_07_28_is_repeated_in_its_headers() -> None:
    """MC-06; a tool's own headers are known once it was listed."""
    stamps = Stamps()
    call = request("tools/call", name="a_b", arguments={"region": "EU 1"}, _meta=MODERN)
    first = stamps.of(call)
    assert first == {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "a_b",
    }
    schema = {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    }
    stamps.of(request("tools/list", _meta=MODERN))
    listed = {"tools": [{"name": "a_b", "inputSchema": schema}]}
    stamps.learn(JSONRPCResponse(jsonrpc="2.0", id=1, result=listed))
    assert {name.lower() for name in stamps.of(call)} == {*first, "mcp-param-region"}


def test_a_message_of_2025_11_25_carries_what_was_agreed_on() -> None:
    stamps = Stamps()
    assert stamps.of(request("initialize", protocolVersion="2025-11-25")) == {}
    assert stamps.unanswered
    agreed = {"protocolVersion": "2025-11-25"}
    stamps.learn(JSONRPCResponse(jsonrpc="2.0", id=1, result=agreed))
    assert not stamps.unanswered
    assert stamps.of(request("tools/list")) == {"mcp-protocol-version": "2025-11-25"}


async def test_a_server_that_went_away_and_came_back_is_found_again() -> None:
    """At another port, with another token; in between the client reads what is the matter."""
    ways = iter([Entrance("http://one/", "first"), Entrance("http://two/", "second")])
    seen: list[tuple[str, str]] = []

    def answer(asked: httpx2.Request) -> httpx2.Response:
        seen.append((str(asked.url), asked.headers["authorization"]))
        if len(seen) == 1:
            raise httpx2.ConnectError("gone", request=asked)
        return httpx2.Response(200, json={"ok": True})

    reaching = Reaching(lambda: next(ways), httpx2.MockTransport(answer))
    async with httpx2.AsyncClient(transport=reaching) as http:
        refused = await http.post("http://jupyter.invalid/", json={})
        assert refused.status_code == 503
        assert refused.json()["error"]["data"] == {"code": "no_jupyter"}
        assert (await http.post("http://jupyter.invalid/", json={})).json() == {"ok": True}
    assert seen == [("http://one/", "Bearer first"), ("http://two/", "Bearer second")]
