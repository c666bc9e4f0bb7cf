"""A session with an upstream server: the SDK's client, kept by a task of its own.

The SDK's client must be entered and left in one task, and calls come from many; so a task holds it,
and whoever calls leases it, one call at a time: then what the server asks in the middle of a call
belongs to that call (`elicitation/create` of 2025-11-25 names none).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    HEADER_MISMATCH,
    REQUEST_TIMEOUT,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    Implementation,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from ..._version import __version__
from ...wire.errors import ValetError
from ..catalogue.source import Progress
from ..control import describe
from .schema import plain
from .tools import MOST, Described
from .transport import LARGEST_ANSWER
from .troubles import Troubles

for _name in ("mcp.client", "mcp.shared.jsonrpc_dispatcher"):
    # Its messages quote what a server sent, and session ids; what matters is told by us (L19).
    logging.getLogger(_name).setLevel(logging.CRITICAL)

OPEN_SECONDS = 30.0
CALL_SECONDS = 600.0
"""How long one request of a call may take; progress does not lengthen it."""

_PAGES = 50
_LONGEST_PROGRESS = 200
_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(
    CallToolResult | InputRequiredResult
)

Elicited = Callable[[ElicitRequestParams], Awaitable[ElicitResult]]
"""Answers a question of the server in the middle of a call."""

Entered = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens the SDK's transport."""


class Session:
    """One connection to one server, for one caller."""

    def __init__(
        self,
        words: str,
        transport: Entered,
        troubles: Troubles,
        on_tools_changed: Callable[[], None],
        gone: Callable[[], ValetError],
    ) -> None:
        self._words = words
        self._transport = transport
        self._troubles = troubles
        self._on_tools_changed = on_tools_changed
        self._gone = gone
        self._elicited: Elicited | None = None
        self._client: Client | None = None
        self._opened = asyncio.Event()
        self._closing = asyncio.Event()
        self._failure: BaseException | None = None
        self._task = asyncio.create_task(self._hold())

    @property
    def alive(self) -> bool:
        """Whether another call may be made on it."""
        return not self._task.done() and not self._closing.is_set()

    @property
    def modern(self) -> bool:
        """Whether the server speaks 2026-07-28."""
        return self._connected.protocol_version in MODERN_PROTOCOL_VERSIONS

    async def opened(self) -> None:
        """Wait until the server has answered. Raises what `call` raises."""
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._opened.wait()
        except TimeoutError:
            self._closing.set()
            self._task.cancel()
            raise self._gone() from None
        if self._failure is not None:
            raise self._told(self._failure)

    async def close(self) -> None:
        """End it, with what is under way."""
        self._closing.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([self._task], timeout=5)
        self._task.cancel()

    # Requests --------------------------------------------------------------------------------

    async def tools(self) -> tuple[list[Described], float]:
        """Return what the server lists, and for how many seconds it says that this is good.

        Raises as `call` does.
        """
        found: list[Described] = []
        good_for = 0.0
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._page(cursor)
            found += [
                Described(tool.name, tool.title or "", tool.description or "", tool.input_schema)
                for tool in page.tools
            ]
            good_for = (page.ttl_ms or 0) / 1000
            cursor = page.next_cursor
            if cursor is None or len(found) > MOST:
                break
        return found, good_for

    async def _page(self, cursor: str | None) -> ListToolsResult:
        async with self._told_of_trouble():
            session = self._connected.session
            return await session.list_tools(params=PaginatedRequestParams(cursor=cursor))

    async def call(
        self,
        params: CallToolRequestParams,
        progress: Progress,
        elicited: Elicited,
    ) -> CallToolResult | InputRequiredResult:
        """Make one `tools/call`.

        Raises `Refused` for a 401 or 403, `ValetError`, `MCPError` for an error of the server's,
        and whatever the way's credential raises. Cancelling it cancels the call.
        """
        self._elicited = elicited
        try:
            async with self._told_of_trouble():
                try:
                    return await self._send(params, progress)
                except MCPError as error:
                    if error.error.code != HEADER_MISMATCH or not self.modern:
                        raise
                    # The recovery of the specification: list the tools, send once more (MC-06).
                    await self.tools()
                    return await self._send(params, progress)
        finally:
            self._elicited = None

    async def _send(
        self, params: CallToolRequestParams, told: Progress
    ) -> CallToolResult | InputRequiredResult:
        async def tell(
            progress: float, total: float | None = None, message: str | None = None
        ) -> None:
            await told(progress, total, plain(message or "", _LONGEST_PROGRESS))

        return await self._connected.session.send_request(
            CallToolRequest(params=params),
            _RESULT,
            request_read_timeout_seconds=CALL_SECONDS,
            progress_callback=tell,
        )

    # The task that holds it ------------------------------------------------------------------

    async def _hold(self) -> None:
        try:
            client = Client(
                self._transport(),
                elicitation_callback=self._on_elicit,
                message_handler=self._on_message,
                client_info=Implementation(name="jupyter-valet", version=__version__),
                read_timeout_seconds=OPEN_SECONDS,
                cache=None,
            )
            async with client:
                self._client = client
                self._opened.set()
                await self._follow(client)
        except BaseException as error:
            self._failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._opened.set()
            self._closing.set()

    async def _follow(self, client: Client) -> None:
        """Hear of changes for as long as the session lasts."""
        tools = client.server_capabilities.tools
        announces = bool(tools and tools.list_changed)
        listening = asyncio.create_task(self._listen(client)) if announces and self.modern else None
        try:
            await self._closing.wait()
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.wait([listening])

    async def _listen(self, client: Client) -> None:
        """2026-07-28: changes come on a stream that the client asks for."""
        with contextlib.suppress(Exception):  # without it, the list is read again when it is old
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._on_tools_changed()

    async def _on_message(self, message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._on_tools_changed()

    async def _on_elicit(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult | ErrorData:
        if self._elicited is None:  # not in the middle of a call: not allowed (ES-33)
            return ElicitResult(action="cancel")
        return await self._elicited(params)

    # Errors ----------------------------------------------------------------------------------

    @property
    def _connected(self) -> Client:
        if self._client is None or not self.alive:
            raise self._gone()
        return self._client

    @contextlib.asynccontextmanager
    async def _told_of_trouble(self) -> AsyncIterator[None]:
        try:
            yield
        except (MCPError, ValidationError) as error:
            raise self._told(error) from None

    def _told(self, error: BaseException) -> Exception:
        """Return what an error of the SDK's means; its texts may quote what upstream sent (L19)."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, MCPError):
            return self._troubles.of(error) or self._lost(error)
        if isinstance(error, ValetError):
            return error
        if isinstance(error, OSError):
            return self._gone()
        return ValetError(
            "upstream_protocol", provider=self._words, what=describe(error).partition(" at ")[0]
        )

    def _lost(self, error: MCPError) -> Exception:
        """Return the server's own error, unless it is the SDK's for one that does not answer."""
        if error.error.code == CONNECTION_CLOSED:
            self._closing.set()  # whoever calls next begins another session
        if error.error.code in (REQUEST_TIMEOUT, CONNECTION_CLOSED):
            return self._gone()
        return error


def over_http(url: str, transport: httpx2.AsyncBaseTransport) -> Entered:
    """Return how to open a session over streamable HTTP, through `transport`."""

    @contextlib.asynccontextmanager
    async def entered() -> AsyncIterator[Any]:
        async with (
            httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False) as http,
            streamable_http_client(
                url, http_client=http, max_sse_event_size=LARGEST_ANSWER
            ) as streams,
        ):
            yield streams

    return entered
