"""The ASGI application of `/mcp`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any, Self

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import REQUEST_CANCELLED
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from ..._version import __version__
from ...wire.errors import ValetError
from ...wire.routes import LONG_POLL_SECONDS
from ..calls import Calls
from ..catalogue import UnknownTool
from ..control import describe
from ..elicitation import Transactions
from ..kernels import Caller, Kernels
from ..oauth import Profile
from ..vault import Vault
from .authentication import CALLER, Authenticator, Refusal, admit, authenticate
from .elicit import HOLD, Asking, call_tool
from .exchange import of_sdk
from .patience import Patience
from .presence import PRESENCE, Gone, Presence
from .quick import is_quick
from .results import failure, listed
from .state import boundary

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NAME = "jupyter-valet"

INSTRUCTIONS = (
    "Tools for the accounts of the person in front of this notebook. A tool whose account is not "
    "signed in asks the person; wait for the result of that same call and do not retry. You never "
    "see or need a password, key or token. An error that starts with `authorization_required` "
    "means that the person must act first."
)

_calling: ContextVar[Caller] = ContextVar("calling")
"""Who makes the request at hand, where the SDK passes no context."""

_HOSTS = ["127.0.0.1:*", "localhost:*", "[::1]:*"]


class Endpoint:
    """The MCP server. Enter it before the first request, and leave it in the same task.

    `hold` and `poll` (seconds) are the patience of `broker.mcp.elicit`.
    """

    def __init__(
        self,
        calls: Calls,
        transactions: Transactions,
        kernels: Kernels,
        vault: Vault,
        profiles: Mapping[str, Profile],
        *,
        hold: float = HOLD,
        poll: float = LONG_POLL_SECONDS,
    ) -> None:
        self._asking = Asking(calls, transactions, vault, profiles, hold, poll)
        self._kernels = kernels
        self._authenticators: Sequence[Authenticator] = (kernels.find,)
        self._listed: tuple[object, ListToolsResult] | None = None
        server = self._server(vault)
        security = TransportSecuritySettings(allowed_hosts=_HOSTS, allowed_origins=[])
        self._manager = StreamableHTTPSessionManager(server, security_settings=security)
        self._quick = StreamableHTTPSessionManager(
            server, security_settings=security, json_response=True
        )
        self._stack = AsyncExitStack()

    def _server(self, vault: Vault) -> Server[Any]:
        server: Server[Any] = Server(
            NAME,
            version=__version__,
            instructions=INSTRUCTIONS,
            # Without it the SDK walks tools/list on every call.
            get_tool_input_schema=self._schema,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )
        # Instead of the SDK's tracing, which names tools and arguments to whoever collects spans.
        server.middleware[:] = [boundary(vault)]
        return server

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._manager.run())
        await self._stack.enter_async_context(self._quick.run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request of an authenticated client; refuse every other.

        Raises `ValetError` ("too_many_requests") before anything is sent.
        """
        caller = authenticate(scope, self._authenticators)
        if isinstance(caller, Refusal):
            await _refuse(send, caller)
            return
        _calling.set(caller)
        with self._kernels.request_of(caller):
            await self._serve(caller, scope, receive, send)

    async def _serve(self, caller: Caller, scope: Message, receive: Receive, send: Send) -> None:
        presence = Presence(receive)
        admitted = {**admit(scope, caller), PRESENCE: presence}
        first = await presence.receive()
        replay = _replayed(first, presence.receive)
        if is_quick(scope, first):
            patience = Patience(send)
            with patience.running():
                quick = self._quick.handle_request(admitted, replay, patience.send)
                await presence.watching(quick)
        else:
            await self._manager.handle_request(admitted, replay, send)

    # Handlers --------------------------------------------------------------------------------

    async def _list_tools(
        self, context: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        caller = context.request.scope[CALLER]  # type: ignore[union-attr]
        tools = self._asking.calls.tools(caller)
        if self._listed is None or self._listed[0] is not tools:
            self._listed = (tools, ListToolsResult(tools=listed(tools)))
        return self._listed[1]

    def _schema(self, name: str) -> dict[str, Any] | None:
        """Return the schema whose `Mcp-Param-*` headers the SDK compares with the arguments."""
        tool = self._asking.calls.find(_calling.get(), name)
        return dict(tool.input_schema) if tool is not None else None

    async def _call_tool(
        self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        try:
            return await call_tool(self._asking, of_sdk(context), params)
        except UnknownTool:
            raise MCPError(code=INVALID_PARAMS, message="Unknown tool") from None
        except Gone:
            raise MCPError(code=REQUEST_CANCELLED, message="The client has gone") from None
        except MCPError:
            raise
        except Exception as error:
            # The type and the place say enough; a message might hold what upstream sent.
            logger.error("a tool call failed: %s", describe(error))
            return failure(ValetError("internal"))


def _replayed(first: Message, receive: Receive) -> Receive:
    """Return `receive` with the message that was read already before its own."""
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = refusal.body
    headers = [*refusal.headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
