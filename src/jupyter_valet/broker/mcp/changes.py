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
from anyio.abc import TaskGroup
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

Who = tuple[str, str]
"""The person and the id of a caller: a notebook that is renamed goes on listening."""

AT_ONCE = 16
"""Sessions of one caller that are told at the same time."""

PATIENCE = 1.0
"""Seconds that a session has to take what it is told."""


class Changes:
    """Who listens, and for whom.

    Each caller is told by a task of its own: one whose sessions read nothing keeps nobody waiting
    but itself.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._audiences: dict[Who, _Audience] = {}
        self._due: set[Who | None] = set()
        self._wake = anyio.Event()
        catalogue.on_change(self._changed)

    def _changed(self, caller: Caller | None) -> None:
        """Hear of a change; several before anybody was told are one."""
        self._due.add(None if caller is None else _who(caller))
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell of changes while this is entered; leave it in the same task."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_all, tasks)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    def listed(self, context: ServerRequestContext[Any, Any]) -> None:
        """Remember a 2025-11-25 session that has asked for the list: it cares for changes."""
        exchange = of_sdk(context)
        if not exchange.modern:
            # The session is made for each request; what lives as long as the client is behind it.
            self._of(exchange.caller).sessions.add(context.session._connection)

    async def listen(
        self, context: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one `subscriptions/listen` of 2026-07-28."""
        bus = self._of(of_sdk(context).caller).bus
        return await ListenHandler(_Counted(bus, self._sweep))(context, params)

    def _of(self, caller: Caller) -> _Audience:
        return self._audiences.setdefault(_who(caller), _Audience())

    def _sweep(self) -> None:
        """Forget callers of whom nothing listens any more."""
        self._audiences = {who: one for who, one in self._audiences.items() if one.is_there}

    async def _tell_all(self, tasks: TaskGroup) -> None:
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            due, self._due = self._due, set()
            self._sweep()
            for who, audience in self._audiences.items():
                if due & {None, who}:
                    audience.tell(tasks)


class _Audience:
    """What of one caller's listens."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.sessions: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._due = self._telling = False

    @property
    def is_there(self) -> bool:
        """Whether anybody would hear."""
        return bool(self.bus._listeners or self.sessions or self._telling)

    def tell(self, tasks: TaskGroup) -> None:
        """Have everybody told; changes while they are told are one more, afterwards."""
        self._due = True
        if not self._telling:
            self._telling = True
            tasks.start_soon(self._tell)

    async def _tell(self) -> None:
        try:
            while self._due:
                self._due = False
                await self.bus.publish(ToolsListChanged())
                limiter = anyio.CapacityLimiter(AT_ONCE)
                async with anyio.create_task_group() as tasks:
                    for session in list(self.sessions):
                        tasks.start_soon(_tell_one, session, limiter)
        finally:
            self._telling = False


async def _tell_one(session: Connection, limiter: anyio.CapacityLimiter) -> None:
    # A session that has ended meanwhile, or whose client reads nothing.
    async with limiter:
        with contextlib.suppress(Exception), anyio.move_on_after(PATIENCE):
            await session.send_tool_list_changed()


def _who(caller: Caller) -> Who:
    return caller.principal, caller.kernel_id


class _Counted:
    """A bus whose listeners are missed when they leave."""

    def __init__(self, bus: InMemorySubscriptionBus, left: Callable[[], object]) -> None:
        self._bus, self._left = bus, left

    async def publish(self, event: ServerEvent) -> None:
        await self._bus.publish(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        unsubscribe = self._bus.subscribe(listener)

        def leave() -> None:
            unsubscribe()
            self._left()

        return leave
