"""Calls on their way to one kernel and back. No I/O: an event tells the waiting request."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from ...wire.errors import ValetError
from ...wire.functions import MOST_CALLS, Calls, FunctionCall, Report
from ..catalogue import ToolOutcome
from ..catalogue.source import Progress


@dataclass
class Pending:
    """One call that the kernel has, or is about to fetch."""

    call: FunctionCall
    news: anyio.Event = field(default_factory=anyio.Event)
    reports: deque[Report] = field(default_factory=deque)
    lost: bool = False

    def tell(self, report: Report) -> None:
        """Hand a report to whoever waits; of two about progress the later one is enough."""
        if self.reports and not self.reports[-1].done:
            self.reports.pop()
        self.reports.append(report)
        self.news.set()


class Switchboard:
    """The calls of one kernel's functions."""

    def __init__(self) -> None:
        self._queue: deque[FunctionCall] = deque()
        self._dropped: deque[str] = deque(maxlen=MOST_CALLS)
        self._pending: dict[str, Pending] = {}
        self._ready = anyio.Event()

    async def call(
        self, name: str, arguments: Mapping[str, Any], progress: Progress
    ) -> ToolOutcome:
        """Have the kernel call a function and return what it came to.

        Raises `ValetError` (`function_busy`, `function_lost`). Cancelling it tells the kernel.
        """
        if len(self._pending) >= MOST_CALLS:
            raise ValetError("function_busy", count=MOST_CALLS)
        call = FunctionCall(secrets.token_urlsafe(12), name, dict(arguments))
        pending = self._pending[call.id] = Pending(call)
        self._queue.append(call)
        self._ready.set()
        try:
            return await self._outcome(pending, progress)
        finally:
            del self._pending[call.id]
            self._forget(call)

    async def _outcome(self, pending: Pending, progress: Progress) -> ToolOutcome:
        while True:
            await pending.news.wait()
            pending.news = anyio.Event()
            if pending.lost:
                raise ValetError("function_lost", name=pending.call.name)
            while pending.reports:
                report = pending.reports.popleft()
                if report.done:
                    return _came_to(pending.call.name, report)
                await progress(report.progress, report.total, report.message)

    def _forget(self, call: FunctionCall) -> None:
        """Take back a call that was not fetched; one that was is named to the kernel."""
        if call in self._queue:
            self._queue.remove(call)
        else:
            self._dropped.append(call.id)
            self._ready.set()

    async def fetch(self, seconds: float) -> Calls:
        """Return the calls that wait, as soon as there is one or a call was given up."""
        with anyio.move_on_after(seconds):
            await self._ready.wait()
        self._ready = anyio.Event()
        calls, self._queue = list(self._queue), deque()
        cancelled = [*self._dropped]
        self._dropped.clear()
        return Calls(calls, cancelled)

    def report(self, id: str, report: Report) -> None:
        """Take what the kernel says of a call; one that nobody waits for is no error."""
        pending = self._pending.get(id)
        if pending is not None:
            pending.tell(report)

    def lose(self) -> None:
        """The kernel has ended: so have its calls."""
        for pending in self._pending.values():
            pending.lost = True
            pending.news.set()


def _came_to(name: str, report: Report) -> ToolOutcome:
    if report.error:
        what = report.error[:500].rstrip(".")
        return ToolOutcome(None, ValetError("function_failed", name=name, what=what))
    return ToolOutcome(report.result, None, tuple(report.content))
