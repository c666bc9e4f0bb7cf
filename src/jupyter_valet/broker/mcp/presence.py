"""Is the client still there? Asked before anything is done that it could not undo."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..http import Whole
from .soon import Soon

PRESENCE = "jupyter_valet.presence"
"""Where the ASGI scope holds the request's `Presence`."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Gone(Exception):
    """Nobody waits for the answer any more, so the call is not made."""


AT_ONCE = 0.02
"""Seconds in which most calls are over. A task that waits for the disconnect would cost them more
than their answer, so there is none before."""


class Presence:
    """Notes the disconnect of one HTTP request whose messages somebody else receives."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False

    async def receive(self) -> Message:
        """Pass a message of the ASGI server on."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    def check(self) -> None:
        """Raise `Gone` when the client has disconnected."""
        if self._gone:
            raise Gone


class Watched(Presence):
    """The same for a request whose body was read, so that nobody else receives any more."""

    def __init__(
        self, receive: Receive, whole: Whole | None = None, soon: Soon | None = None
    ) -> None:
        super().__init__(receive)
        self.whole = whole
        """The request, if it came in one piece."""
        self._soon = soon or Soon(AT_ONCE)
        self._watch: asyncio.Task[None] | None = None
        self._cancelled = False

    def check(self) -> None:
        """Raise `Gone` when the client has disconnected, as far as the event loop knows."""
        if self.whole is not None:
            self._gone = self.whole.disconnected
        elif self._watch is None:
            self._look()
        super().check()

    async def watching(
        self, answer: Awaitable[None], on_wait: Callable[[], None] = lambda: None
    ) -> None:
        """Await `answer`, which does not receive, and cancel it when the client goes (PS-06).

        `on_wait` is called once it turns out that the answer is not there at once.
        """
        task = asyncio.current_task()
        assert task is not None
        moment = self._soon.call(lambda: self._wait(task, on_wait))
        try:
            await answer
        except asyncio.CancelledError:
            # As in `asyncio.timeout`: only what was cancelled here, and by nobody else, ends here.
            if not self._cancelled or task.uncancel() > 0:
                raise
        finally:
            moment.over()
            if self._watch is not None:
                self._watch.cancel()

    def _look(self) -> None:
        """Take one step of receiving: that of a client that has gone returns, any other waits."""
        receiving = self.receive()
        with contextlib.suppress(StopIteration):
            receiving.send(None)
        receiving.close()

    def _wait(self, task: asyncio.Task[Any], on_wait: Callable[[], None]) -> None:
        self._watch = asyncio.create_task(self._cancel_when_gone(task))
        on_wait()

    async def _cancel_when_gone(self, task: asyncio.Task[Any]) -> None:
        while not self._gone:
            await self.receive()
        self._cancelled = True
        task.cancel()
