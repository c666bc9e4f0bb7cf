"""Tells clients that their list of tools has changed, in the way of either revision.

2026-07-28 has `subscriptions/listen`, one stream per subscription; 2025-11-25 a notification on the
session's own stream. A caller hears of changes to its own list, and of nobody else's.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types import SubscriptionsListenRequestParams, SubscriptionsListenResult

from ..catalogue import Catalogue
from ..kernels import Caller
from .exchange import of_sdk

_MOST_SESSIONS = 1024


class Changes:
    """Who listens, and for whom."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._sessions: weakref.WeakKeyDictionary[Connection, Caller] = weakref.WeakKeyDictionary()
        self._buses: dict[Caller, InMemorySubscriptionBus] = {}
        self._due: set[Caller | None] = set()
        self._wake = anyio.Event()
        catalogue.on_change(self._changed)

    def _changed(self, caller: Caller | None) -> None:
        """Hear of a change; several before anybody was told are one."""
        self._due.add(caller)
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell of changes while this is entered; leave it in the same task."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_all)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def listed(self, context: ServerRequestContext[Any, Any]) -> None:
        """Remember a 2025-11-25 session that has asked for the list: it cares for changes."""
        exchange = of_sdk(context)
        if not exchange.modern and len(self._sessions) < _MOST_SESSIONS:
            # The session is made for each request; what lives as long as the client is behind it.
            self._sessions[context.session._connection] = exchange.caller

    async def listen(
        self, context: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one `subscriptions/listen` of 2026-07-28."""
        caller = of_sdk(context).caller
        bus = self._buses.setdefault(caller, InMemorySubscriptionBus())
        return await ListenHandler(_Counted(bus, lambda: self._buses.pop(caller, None)))(
            context, params
        )

    async def _tell_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            due, self._due = self._due, set()
            for caller, bus in list(self._buses.items()):
                if due & {None, caller}:
                    await bus.publish(ToolsListChanged())
            for session, caller in list(self._sessions.items()):
                if due & {None, caller}:
                    # A session that has ended meanwhile, or whose client reads nothing.
                    with contextlib.suppress(Exception), anyio.move_on_after(1.0):
                        await session.send_tool_list_changed()


class _Counted:
    """A bus that is dropped with its last listener."""

    def __init__(self, bus: InMemorySubscriptionBus, drop: Callable[[], object]) -> None:
        self._bus, self._drop = bus, drop

    async def publish(self, event: ServerEvent) -> None:
        await self._bus.publish(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        unsubscribe = self._bus.subscribe(listener)

        def leave() -> None:
            unsubscribe()
            if not self._bus._listeners:
                self._drop()

        return leave
