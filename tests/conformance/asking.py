"""A server that asks by hand-written JSON, in either revision, and keeps what a client says."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from aiohttp import web
from local_server import LocalServer
from wire import NEW, OLD, Message

_TOOL = {"name": "take", "inputSchema": {"type": "object", "properties": {}}}
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


class Asking(LocalServer):
    """`question` are the parameters of the `elicitation/create` that its one tool needs."""

    def __init__(self, revision: str, question: Message | None) -> None:
        self.revision = revision
        self.question = question
        self.noise: list[Message] = []
        """Notifications that nobody asked for, in every answer to a call."""
        self.declared: list[Message] = []
        """The capabilities in its requests, or its handshake."""
        self.answers: list[Message] = []
        self.paths: list[str] = []
        self._answered = asyncio.Event()

    discovery = frozenset({"/.well-known/oauth-protected-resource/mcp"})
    """What a client that finds out about a server may ask for besides."""

    @property
    def endpoint(self) -> str:
        return f"{self.url}/mcp"

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/{tail:.*}", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        if request.path != "/mcp":
            return web.Response(status=404)
        if request.method != "POST":
            return web.Response(status=405)
        message = json.loads(await request.read())
        if self.revision == OLD and request.headers.get("MCP-Protocol-Version") == NEW:
            return web.Response(status=400)
        if "method" not in message:
            self.answers.append(message["result"])
            self._answered.set()
        if "id" not in message or "method" not in message:
            return web.Response(status=202)
        return await self._answer(request, message)

    async def _answer(self, request: web.Request, message: Message) -> web.StreamResponse:
        params = message.get("params", {})
        if message["method"] != "server/discover":
            self._note(params)  # it is asked before anything that could ask back
        match message["method"]:
            case "server/discover":
                result = {"supportedVersions": [NEW], "capabilities": {"tools": {}}}
            case "initialize":
                info = {"name": "asking", "version": "1"}
                result = {"protocolVersion": OLD, "capabilities": {"tools": {}}, "serverInfo": info}
            case "tools/list":
                result = {"tools": [_TOOL]}
            case _:
                return await self._called(request, message)
        cached = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        whole = {**(cached if self.revision == NEW else {}), **result}
        return web.json_response(_reply(message, whole), headers={"Mcp-Session-Id": "s1"})

    def _note(self, params: Message) -> None:
        if "capabilities" in params:
            self.declared.append(params["capabilities"])
        if _CAPABILITIES in params.get("_meta", {}):
            self.declared.append(params["_meta"][_CAPABILITIES])

    async def _called(self, request: web.Request, message: Message) -> web.StreamResponse:
        done = {"content": [{"type": "text", "text": "done"}]}
        if self.revision == OLD:
            return await self._streamed(request, message, done)
        given = message["params"].get("inputResponses")
        if self.question is None or given is not None:
            self.answers += list((given or {}).values())
            return web.json_response(_reply(message, {"resultType": "complete", **done}))
        asked = {"k": {"method": "elicitation/create", "params": self.question}}
        return web.json_response(
            _reply(message, {"resultType": "input_required", "inputRequests": asked})
        )

    async def _streamed(
        self, request: web.Request, message: Message, done: Message
    ) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        for note in self.noise:
            await _send(stream, note)
        if self.question is not None:
            asked = {"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create"}
            await _send(stream, {**asked, "params": self.question})
            await self._answered.wait()
        for note in self.noise:
            await _send(stream, note)
        await _send(stream, _reply(message, done))
        for note in self.noise:
            await _send(stream, note)
        return stream


def _reply(message: Message, result: Message) -> Message:
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


async def _send(stream: web.StreamResponse, message: Message) -> None:
    await stream.write(b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n")


@contextlib.asynccontextmanager
async def asking(revision: str, question: Message | None = None) -> AsyncIterator[Asking]:
    """Run one."""
    async with Asking(revision, question) as server:
        yield server
