"""A real broker process with an upstream server: the list, the answer, and the pages between."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from broker_process import ORIGIN, BrokerFork, BrokerProcess, Kernel
from upstream_server import UpstreamServer

pytestmark = pytest.mark.anyio

STDIO = str(Path(__file__).parents[1] / "providers/stdio_server.py")


@pytest.fixture
async def upstream() -> AsyncIterator[UpstreamServer]:
    async with UpstreamServer().running() as server:
        yield server


@pytest.fixture
async def broker(tmp_path: Path, upstream: UpstreamServer) -> AsyncIterator[BrokerProcess]:
    servers = {
        "up": {"url": upstream.url, "loopback": True, "title": "Up", "reads": ["echo*"]},
        "prog": {"command": sys.executable, "args": [STDIO]},
    }
    process = BrokerFork(tmp_path / "valet", mcp_servers=servers)
    await asyncio.to_thread(process.__enter__)
    yield process
    await asyncio.to_thread(process.__exit__)


async def asked(kernel: Kernel, name: str, arguments: Any = None, **more: Any) -> Any:
    _, answer = await asyncio.to_thread(partial(kernel.call_tool, name, arguments or {}, **more))
    if isinstance(answer, bytes):
        answer = json.loads(answer.split(b"data: ")[-1])
    return answer["result"]


async def listed(kernel: Kernel) -> dict[str, Any]:
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    request = partial(kernel.request, "POST", "/mcp", message, **headers)
    _, answer = await asyncio.to_thread(request)
    if isinstance(answer, bytes):
        answer = json.loads(answer.split(b"data: ")[-1])
    return {tool["name"]: tool for tool in answer["result"]["tools"]}


async def allowed(broker: BrokerProcess, question: Any) -> dict[str, Any]:
    """Press *Use it* on the page that a call asked for; returns what the page showed."""
    url = question["inputRequests"]["connect"]["params"]["url"]
    where = {"transaction": url.rpartition("/")[2], "principal": "owner", "origin": ORIGIN}
    facts = await asyncio.to_thread(partial(broker.call, "page.open", **where))
    if facts["step"] == "level":
        press = {**where, "nonce": facts["nonce"], "choices": {"understood": "yes"}}
        await asyncio.to_thread(partial(broker.call, "page.accept", **press))
        facts = await asyncio.to_thread(partial(broker.call, "page.open", **where))
    sent = partial(broker.call, "page.approve", **where, nonce=facts["nonce"])
    assert await asyncio.to_thread(sent) == {"location": "", "binding": ""}
    return facts


async def test_a_server_without_a_sign_in_needs_the_person_s_leave(
    broker: BrokerProcess, upstream: UpstreamServer
) -> None:
    """Deny by default: that a server is configured is no grant to a notebook."""
    kernel = await asyncio.to_thread(broker.kernel)
    assert "up_connect" in await listed(kernel)
    question = await asked(kernel, "up_connect")
    facts = await allowed(broker, question)
    assert facts["step"] == "use"
    assert facts["provider_title"].startswith("Up (127.0.0.1:")
    assert facts["program"] == ""
    result = await asked(kernel, "up_connect", requestState=question["requestState"])
    assert [tool["name"] for tool in result["structuredContent"]["tools"]] == ["up_echo_back"]
    tools = await listed(kernel)
    assert tools["up_echo_back"]["annotations"]["readOnlyHint"] is True
    result = await asked(kernel, "up_echo_back", {"text": "tides"})
    assert result["structuredContent"] == {"said": "tides"}
    assert result["content"] == [{"type": "text", "text": "tides"}]


async def test_another_notebook_asks_for_itself(
    broker: BrokerProcess, upstream: UpstreamServer
) -> None:
    kernel = await asyncio.to_thread(broker.kernel)
    await allowed(broker, await asked(kernel, "up_connect"))
    other = await asyncio.to_thread(partial(broker.kernel, "k2", notebook="b.ipynb"))
    question = await asked(other, "up_connect")
    assert "inputRequests" in question


async def test_a_program_is_shown_with_its_whole_command(broker: BrokerProcess) -> None:
    """BP-17: exact, untruncated, on a page that no script presses; a write waits for its word."""
    kernel = await asyncio.to_thread(broker.kernel)
    question = await asked(kernel, "prog_connect")
    facts = await allowed(broker, question)
    assert facts["program"] == f"{sys.executable} {STDIO}"
    result = await asked(kernel, "prog_connect")
    assert "prog_where" in [tool["name"] for tool in result["structuredContent"]["tools"]]
    write = await asked(kernel, "prog_where")
    url = write["inputRequests"]["connect"]["params"]["url"]
    where = {"transaction": url.rpartition("/")[2], "principal": "owner", "origin": ORIGIN}
    facts = await asyncio.to_thread(partial(broker.call, "page.open", **where))
    assert facts["step"] == "approval"
    assert '"name": "where"' in facts["preview"]["body"]


async def test_connect_finds_out_about_a_server_first(
    broker: BrokerProcess, upstream: UpstreamServer
) -> None:
    kernel = await asyncio.to_thread(broker.kernel)
    status, view = await asyncio.to_thread(partial(kernel.request, "GET", "/status"))
    assert (status, {"prog", "up"} <= set(view["providers"])) == (200, True)
    asking = partial(kernel.request, "POST", "/connect", {"provider": "up"})
    status, reply = await asyncio.to_thread(asking)
    assert status == 200
    assert reply["transaction"]["provider_title"].startswith("Up (127.0.0.1:")


async def test_no_server_has_the_name_of_the_tools_that_find_others(
    broker: BrokerProcess, upstream: UpstreamServer
) -> None:
    """These take no scope of a program outside; what a server offers always does (RS-08)."""
    kernel = broker.kernel()
    for name, status in (("valet", 400), ("valet_x", 400), ("ours", 200)):
        added = {"name": name, "url": "https://mcp.example.org/mcp"}
        request = partial(kernel.request, "POST", "/toolsets/servers", added)
        assert (await asyncio.to_thread(request))[0] == status
