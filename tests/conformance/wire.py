"""A client that says and hears exactly what is on the wire, in either revision; no SDK between.

It declares what it is told to, keeps every message, and answers questions as a test wants.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

Message = dict[str, Any]
Answer = Callable[[Message], Message | Awaitable[Message]]
"""What the client's person says to the parameters of an `elicitation/create`."""

OLD, NEW = "2025-11-25", "2026-07-28"
_META = "io.modelcontextprotocol"


def accept(params: Message) -> Message:
    """Consent to open the page; no content (EC-21)."""
    return {"action": "accept"}


@dataclass
class Wire:
    """One client at one endpoint. `heard` are the messages that came, in their order."""

    http: aiohttp.ClientSession
    url: str
    revision: str
    capabilities: Mapping[str, Any]
    answer: Answer = accept
    heard: list[Message] = field(default_factory=list)
    asked: list[Message] = field(default_factory=list)
    """The parameters of the questions among them."""
    bytes: bytearray = field(default_factory=bytearray)
    """Every byte of every answer: headers and bodies."""
    session: str = ""
    _ids: int = 0

    async def open(self) -> None:
        """Shake hands, where the revision has that."""
        if self.revision == NEW:
            return
        client = {"name": "wire", "version": "1"}
        params = {"protocolVersion": OLD, "capabilities": self.capabilities, "clientInfo": client}
        await self.request("initialize", params)
        await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def call(self, tool: str, **arguments: Any) -> Message:
        """Call a tool and do what is asked; return the last answer."""
        params: Message = {"name": tool, "arguments": arguments}
        more: Message = {}
        for _ in range(20):
            reply = await self.request("tools/call", {**params, **more})
            result = reply.get("result", {})
            if result.get("resultType") != "input_required":
                return reply
            more = {k: result[k] for k in ("requestState",) if k in result}
            answers = {}
            for key, request in result.get("inputRequests", {}).items():
                answers[key] = await self._answered(request["params"])
            more |= {"inputResponses": answers} if answers else {}
        raise AssertionError("it asks without end")

    async def request(self, method: str, params: Message) -> Message:
        """Send a request and return its answer, doing meanwhile what the server asks."""
        self._ids += 1
        message = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        if self.revision == NEW:
            meta = {f"{_META}/protocolVersion": NEW}
            meta[f"{_META}/clientCapabilities"] = self.capabilities
            message["params"] = {**params, "_meta": meta}
        async with (
            asyncio.timeout(30),
            self.http.post(
                self.url, json=message, headers=self._headers(method, params)
            ) as response,
        ):
            self.session = response.headers.get("Mcp-Session-Id", self.session)
            async for heard in self._messages(response):
                await self._hear(heard)
                if heard.get("id") == self._ids and "method" not in heard:
                    return heard
        raise AssertionError(f"{response.status}: no answer to {method}")

    async def listen(self) -> None:
        """Hear what comes on the session's own stream (2025-11-25), until cancelled."""
        headers = {**self._headers("", {}), "Accept": "text/event-stream"}
        async with self.http.get(self.url, headers=headers) as response:
            async for heard in self._messages(response):
                await self._hear(heard)

    async def _hear(self, heard: Message) -> None:
        self.heard.append(heard)
        if heard.get("method") == "elicitation/create":
            result = await self._answered(heard["params"])
            await self._post({"jsonrpc": "2.0", "id": heard["id"], "result": result})

    async def _answered(self, params: Message) -> Message:
        self.asked.append(params)
        answer = self.answer(params)
        return answer if isinstance(answer, dict) else await answer

    async def _messages(self, response: aiohttp.ClientResponse) -> AsyncIterator[Message]:
        """Yield the JSON-RPC messages of a body, as they come."""
        for name, value in response.raw_headers:
            self.bytes += name + b": " + value + b"\n"
        if response.content_type != "text/event-stream":
            self.bytes += await response.read()
            yield json.loads(await response.read())
            return
        async for line in response.content:
            self.bytes += line
            if line.startswith(b"data:") and (data := line.removeprefix(b"data:").strip()):
                yield json.loads(data)

    async def _post(self, message: Message) -> None:
        headers = self._headers(message.get("method", ""), {})
        async with self.http.post(self.url, json=message, headers=headers) as response:
            assert response.status in (200, 202), await response.text()

    def _headers(self, method: str, params: Message) -> dict[str, str]:
        headers = {"Accept": "application/json, text/event-stream"}
        if self.revision == NEW:
            headers |= {"MCP-Protocol-Version": NEW, "Mcp-Method": method}
            return headers | ({"Mcp-Name": params["name"]} if "name" in params else {})
        if self.session:
            headers |= {"MCP-Protocol-Version": OLD, "Mcp-Session-Id": self.session}
        return headers


@contextlib.asynccontextmanager
async def wire(
    url: str,
    capability: str,
    revision: str,
    capabilities: Mapping[str, Any],
    answer: Answer = accept,
) -> AsyncIterator[Wire]:
    """Open a client that shows `capability`."""
    headers = {"Authorization": f"Bearer {capability}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        client = Wire(http, url, revision, capabilities, answer)
        await client.open()
        yield client
