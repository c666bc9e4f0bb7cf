"""A real MCP server of somebody else: the official SDK's, behind a real authorization server.

It speaks both revisions; `legacy` hides 2026-07-28 as an older server does. It checks its tokens
itself: signature aside, issuer, audience and scopes of the JWTs that oidc-provider issues.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

Handler = Callable[[ServerRequestContext[Any, Any], CallToolRequestParams], Any]

ECHO = Tool(
    name="echo-Back",
    title="Echo",
    description="Says it back.",
    input_schema={
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
    },
    annotations=ToolAnnotations(read_only_hint=True),
)


async def echo(context: Any, params: CallToolRequestParams) -> CallToolResult:
    text = (params.arguments or {})["text"]
    return CallToolResult(content=[TextContent(text=text)], structured_content={"said": text})


class UpstreamServer:
    """`tools` and `handlers` may be changed while it runs; `seen` are the requests' heads."""

    def __init__(self, *, issuer: str = "", legacy: bool = False) -> None:
        self.issuer = issuer
        self.legacy = legacy
        self.tools: list[Tool] = [ECHO]
        self.handlers: dict[str, Handler] = {"echo-Back": echo}
        self.scopes: list[str] = ["api:read"]
        self.needed: dict[str, str] = {}
        """Scopes that a tool needs besides, by its name."""
        self.prm: dict[str, Any] = {}
        """Members of the resource metadata that are other than they should be."""
        self.seen: list[dict[str, str]] = []
        self.tokens: list[str] = []
        self.lists = 0
        self.ttl = 0
        self.refusing: set[str] = set()
        """Tokens that are not accepted (any more)."""
        self._sessions: list[Any] = []
        self._bus = InMemorySubscriptionBus()
        self.url = ""

    @property
    def origin(self) -> str:
        return self.url.removesuffix("/mcp")

    # The protocol ----------------------------------------------------------------------------

    async def _list(self, context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
        self.lists += 1
        self._sessions.append(context.session)
        return ListToolsResult(tools=self.tools, ttl_ms=self.ttl)

    async def _call(self, context: Any, params: CallToolRequestParams) -> Any:
        return await self.handlers[params.name](context, params)

    async def announce(self) -> None:
        """Say that the list has changed, in both revisions."""
        await self._bus.publish(ToolsListChanged())
        for session in self._sessions:
            if self.legacy:
                await session.send_tool_list_changed()

    # Its door --------------------------------------------------------------------------------

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {n.decode().lower(): v.decode() for n, v in scope["headers"]}
        path = scope["path"]
        if path.startswith("/.well-known/oauth-protected-resource"):
            await self._metadata(path, send)
        elif path != "/mcp":
            await _reply(send, 404, {})
        else:
            self.seen.append({"method": scope["method"], **headers})
            await self._enter(headers, scope, receive, send)

    async def _metadata(self, path: str, send: Any) -> None:
        if not self.issuer or path != "/.well-known/oauth-protected-resource/mcp":
            await _reply(send, 404, {})
            return
        document = {
            "resource": self.url,
            "authorization_servers": [self.issuer],
            "scopes_supported": self.scopes,
            **self.prm,
        }
        await _reply(send, 200, document)

    async def _enter(self, headers: dict[str, str], scope: Any, receive: Any, send: Any) -> None:
        if self.issuer and not self._good(headers.get("authorization", "")):
            place = f"{self.origin}/.well-known/oauth-protected-resource/mcp"
            challenge = f'Bearer error="invalid_token", resource_metadata="{place}"'
            await _reply(send, 401, {}, challenge)
            return
        body, receive = await _peek(receive)
        if self.legacy and (
            headers.get("mcp-protocol-version") == "2026-07-28" or b"server/discover" in body
        ):
            await _reply(send, 400, {})
            return
        missing = self._missing(headers, body)
        if missing:
            challenge = f'Bearer error="insufficient_scope", scope="{missing}"'
            await _reply(send, 403, {}, challenge)
            return
        await self._manager.handle_request(scope, receive, send)

    def _good(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or token in self.refusing:
            return False
        self.tokens.append(token)
        claims = claims_of(token)
        return claims.get("iss") == self.issuer and claims.get("aud") == self.url

    def _missing(self, headers: dict[str, str], body: bytes) -> str:
        with contextlib.suppress(ValueError):
            message = json.loads(body)
            if message.get("method") == "tools/call":
                needed = self.needed.get(message["params"]["name"], "")
                if not needed:
                    return ""
                held = claims_of(headers["authorization"].partition(" ")[2])["scope"].split()
                return needed if needed not in held else ""
        return ""

    # Running ---------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[UpstreamServer]:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        server: Server[Any] = Server(
            "up",
            on_list_tools=self._list,
            on_call_tool=self._call,
            on_subscriptions_listen=ListenHandler(self._bus),
        )
        server.middleware.clear()
        self._manager = StreamableHTTPSessionManager(server)
        config = uvicorn.Config(
            self._app, interface="asgi3", ws="none", lifespan="off", log_config=None
        )
        config.timeout_graceful_shutdown = 1
        web = uvicorn.Server(config)
        web.capture_signals = contextlib.nullcontext  # type: ignore[assignment]
        async with self._manager.run(), anyio.create_task_group() as tasks:
            tasks.start_soon(web.serve, [listener])
            while not web.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            try:
                yield self
            finally:
                web.should_exit = True
                web.force_exit = True
        listener.close()


def claims_of(token: str) -> dict[str, Any]:
    try:
        part = token.split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
    except (IndexError, ValueError):
        return {}


async def _peek(receive: Any) -> tuple[bytes, Any]:
    messages = []
    body = b""
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break

    async def replay() -> Any:
        return messages.pop(0) if messages else await receive()

    return body, replay


async def _reply(send: Any, status: int, document: Any, challenge: str = "") -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json")]
    if challenge:
        headers.append((b"www-authenticate", challenge.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
