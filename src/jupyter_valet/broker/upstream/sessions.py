"""The open sessions, by whose they are: nobody's session is used for somebody else (R129)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from .session import Session
from .settings import Server

IDLE_SECONDS = 300.0
"""How long a session is kept that nobody uses."""

AT_ONCE = 4
"""Calls that one caller may have under way at one server; a call that waits for the person is one.
"""


@dataclass(frozen=True)
class Key:
    """Whose session, and where to."""

    server: Server
    sharer: str
    """`principal/kernel`."""
    connection: str


@dataclass
class _Held:
    """The sessions of one key."""

    free: list[Session] = field(default_factory=list)
    users: int = 0
    """Who leases one, or waits for one."""
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    expiry: asyncio.TimerHandle | None = None


class Sessions:
    """Leases sessions, opening them when there is none."""

    def __init__(self, *, idle: float = IDLE_SECONDS) -> None:
        self._idle = idle
        self._held: defaultdict[Key, _Held] = defaultdict(_Held)
        self._closing: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def lease(
        self, key: Key, begun: Callable[[], Awaitable[Session]]
    ) -> AsyncIterator[Session]:
        """Have a session for `key` to oneself; `opened` starts one.

        The session that was used last comes first: a server of 2025-11-25 may remember things in
        it. Raises what `begun` and `Session.opened` raise.
        """
        held = self._held[key]
        held.users += 1
        try:
            async with held.turn:
                session = self._free(held) or await begun()
                try:
                    await session.opened()
                    yield session
                finally:
                    self._return(key, held, session)
        finally:
            held.users -= 1

    def _free(self, held: _Held) -> Session | None:
        while held.free:
            session = held.free.pop()
            if session.alive:
                return session
        return None

    def _return(self, key: Key, held: _Held, session: Session) -> None:
        if not session.alive:
            return
        held.free.append(session)
        if held.expiry is not None:
            held.expiry.cancel()
        loop = asyncio.get_running_loop()
        held.expiry = loop.call_later(self._idle, self._expire, key)

    def _expire(self, key: Key) -> None:
        held = self._held[key]
        sessions, held.free = held.free, []
        for session in sessions:
            self._close(session)
        if not held.users:
            del self._held[key]

    def drop(self, session: Session) -> None:
        """End a session that is of no use any more."""
        self._close(session)

    def end(self, belongs: Callable[[Key], bool]) -> None:
        """End the sessions whose key `belongs` to what is gone, once nobody uses them."""
        for key in [key for key in self._held if belongs(key)]:
            self._expire(key)

    def _close(self, session: Session) -> None:
        task = asyncio.create_task(session.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End all of them."""
        for key, held in list(self._held.items()):
            if held.expiry is not None:
                held.expiry.cancel()
            self._expire(key)
        if self._closing:
            await asyncio.wait(self._closing)
