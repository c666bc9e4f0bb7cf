"""Being called back after a moment, many at a time, by one timer of the event loop.

Most calls are over before their moment comes: a timer for each costs them more than it is worth.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable


class Moment:
    """One that waits to be called back."""

    __slots__ = ("_context", "back", "due")

    def __init__(self, due: float, back: Callable[[], None]) -> None:
        self.due = due
        self.back: Callable[[], None] | None = back
        self._context = contextvars.copy_context()

    def come(self) -> None:
        """Call back in the context of who asked, not of whoever set the timer."""
        if self.back is not None:
            self._context.run(self.back)

    def over(self) -> None:
        """Call nobody back any more."""
        self.back = None


class Soon:
    """Calls back in the order in which it was asked, each `seconds` later; in one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[Moment] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def call(self, back: Callable[[], None]) -> Moment:
        """Call `back` after the moment, unless that is over before."""
        loop = asyncio.get_running_loop()
        moment = Moment(loop.time() + self._seconds, back)
        self._waiting.append(moment)
        if self._timer is None:
            self._timer = loop.call_at(moment.due, self._due, loop)
        return moment

    def _due(self, loop: asyncio.AbstractEventLoop) -> None:
        # Those that are over leave, too; the next that is not has the next timer.
        self._timer = None
        now, waiting = loop.time(), self._waiting
        while waiting and (waiting[0].back is None or waiting[0].due <= now):
            loop.call_soon(waiting.popleft().come)  # by itself: one that fails keeps nobody waiting
        if waiting:
            self._timer = loop.call_at(waiting[0].due, self._due, loop)
