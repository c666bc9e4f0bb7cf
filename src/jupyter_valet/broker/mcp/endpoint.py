"""The ASGI application of `/mcp`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any, Self

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    DiscoverResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ..._version import __version__
from ...wire.routes import LONG_POLL_SECONDS
from ..calls import Calls
from ..elicitation import Transactions
from ..http import whole
from ..kernels import Caller, Kernels
from ..oauth import Profile
from ..refusal import Refusal, refuse
from ..vault import Vault
from .arrived import Arrived
from .authentication import admit, authenticate
from .changes import Changes
from .elicit import HOLD, Asking
from .exchange import of_sdk
from .familiar import Familiar
from .handlers import Handlers
from .inbound import is_single
from .instructions import instructions
from .presence import AT_ONCE, PRESENCE, Presence, Watched
from .results import success
from .sessions import Sessions
from .single import Singles
from .soon import Soon
from .state import boundary

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NAME = "jupyter-valet"

_calling: ContextVar[Caller] = ContextVar("calling")
"""Who makes the request at hand, where the SDK passes no context."""

_HOSTS = ["127.0.0.1:*", "localhost:*", "[::1]:*"]


class _Server(Server[Any]):
    """The SDK's server, which tells each caller what it should know.

    On 2025-11-25, too, that is that the list of tools may change.
    """

    def __init__(self, words: Callable[[], str], **how: Any) -> None:
        super().__init__(NAME, version=__version__, **how)
        self._words = words
        self.add_request_handler("server/discover", RequestParams, self._discover)

    async def _discover(
        self, context: ServerRequestContext[Any, Any], params: RequestParams | None
    ) -> DiscoverResult:
        return DiscoverResult(
            supported_versions=list(MODERN_PROTOCOL_VERSIONS),
            capabilities=self.get_capabilities(protocol_version=context.protocol_version),
            instructions=self._words(),
        )

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        told = notification_options or NotificationOptions(tools_changed=True)
        options = super().create_initialization_options(told, experimental_capabilities, extensions)
        return options.model_copy(update={"instructions": self._words()})


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
        asking = Asking(calls, transactions, vault, profiles, hold, poll)
        self._kernels = kernels
        self._handlers = Handlers(asking)
        self._familiar = Familiar()
        self._soon = Soon(AT_ONCE)
        self._changes = Changes(calls.catalogue)
        sealing = boundary(vault)
        server = self._server(calls, sealing)
        # The second look at what `authenticate` has judged, which knows the port, too.
        origins = [f"http://{host}" for host in _HOSTS]
        security = TransportSecuritySettings(allowed_hosts=_HOSTS, allowed_origins=origins)
        self._manager = StreamableHTTPSessionManager(server, security_settings=security)
        self._sessions = Sessions(self._manager.handle_request)
        kernels.on_end(self._sessions.ended)
        self._singles = Singles(self._handlers, sealing, server.server_info_stamp)
        self._stack = AsyncExitStack()

    def _server(self, calls: Calls, sealing: RequestStateBoundary) -> Server[Any]:
        server = _Server(
            lambda: instructions(calls.catalogue.hides(_calling.get())),
            # Without it the SDK walks tools/list on every call.
            get_tool_input_schema=lambda name: self._handlers.schema(_calling.get(), name),
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=self._changes.listen,
        )
        # Instead of the SDK's tracing, which names tools and arguments to whoever collects spans.
        server.middleware[:] = [sealing]
        return server

    async def __aenter__(self) -> Self:
        # Of what was entered nothing may stay when the end of the broker comes in between.
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._changes.running())
            await stack.enter_async_context(self._manager.run())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request of a kernel; refuse every other.

        Raises `ValetError` ("too_many_requests") before anything is sent.
        """
        caller = authenticate(scope, self._kernels.known)
        if isinstance(caller, Refusal):
            await refuse(send, caller)
            return
        await self.serve(caller, scope, receive, send)

    async def serve(self, caller: Caller, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request of somebody who has proved who they are; as `__call__`."""
        with self._kernels.request_of(caller):
            if is_single(scope):
                await self._single(caller, scope, receive, send)
            else:
                await self._by_sdk(caller, scope, Presence(receive), send)

    async def _single(self, caller: Caller, scope: Message, receive: Receive, send: Send) -> None:
        arrived = await Arrived.of(receive, whole(scope))
        presence = Watched(arrived.replay, arrived.whole, self._soon)
        inbound = None
        if arrived.body is not None:
            inbound = self._familiar.read(
                scope, arrived.body, lambda name: self._handlers.schema(caller, name)
            )
        if inbound is None:
            await self._by_sdk(caller, scope, presence, send)
        else:
            arrived.forget()
            await self._singles.serve(inbound, caller, presence, send)

    async def _by_sdk(self, caller: Caller, scope: Message, presence: Presence, send: Send) -> None:
        _calling.set(caller)
        admitted = {**admit(scope, caller), PRESENCE: presence}
        if is_single(scope):
            await self._manager.handle_request(admitted, presence.receive, send)
        else:
            await self._sessions.serve(caller, admitted, presence.receive, send)

    # For the SDK -----------------------------------------------------------------------------

    async def _list_tools(
        self, context: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        self._changes.listed(context)
        caller = of_sdk(context).caller
        await self._handlers.prepare(caller)
        return self._handlers.list_tools(caller, params)

    async def _call_tool(
        self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        exchange = of_sdk(context)
        return await self._handlers.call_tool(
            exchange, params, lambda outcome: success(outcome, wrap=not exchange.modern)
        )
