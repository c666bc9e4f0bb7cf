"""Calls that are held because their client cannot ask, told to whoever can show the question.

A question is waited for as long as its first client wants; the calls after it are held shortly, so
that an agent that tries again and again neither waits every time nor runs in circles.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from ...wire.held import LONGEST
from ...wire.routes import LONG_POLL_SECONDS
from ..kernels import Caller
from .transaction import Transaction

_BEFORE_ITS_END = 1.0
"""Seconds before a question expires at which a call gives up: "not signed in" says what to do."""


_SEEN_SECONDS = 2 * LONG_POLL_SECONDS
"""A kernel that has not asked for so long shows nothing any more."""


class Held:
    """The calls that are held in this process, by who made them. Nothing of it is stored."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # Random at first: after a restart of the broker it must not be what a kernel saw before.
        self._begun = self._revision = secrets.randbelow(1 << 48)
        self._callers: dict[str, _Calls] = {}
        self._guests: dict[str, _Calls] = {}
        """What outside clients wait for, by person."""
        self._hosts: dict[str, _Host] = {}
        """The kernels that show what clients wait for, in the order in which they began to ask."""
        self._in_vain: dict[str, float] = {}
        """Questions that nobody answered in the time of a first call, and when they expire."""

    def seconds(self, transaction: Transaction, patience: float | None, usual: float) -> float:
        """Return how long to hold a call for `transaction`, in seconds.

        `patience` is what its client says of itself, None when it says nothing; `usual` is what
        every client bears.
        """
        if patience is None:
            return usual
        if transaction.id in self._in_vain:
            return min(patience, usual)
        left = transaction.expires_at - self._clock() - _BEFORE_ITS_END
        return max(min(patience, LONGEST, left), 0.0)

    def in_vain(self, transaction: Transaction) -> None:
        """Note that a call was held for `transaction`, and nobody has answered."""
        now = self._clock()
        self._in_vain = {id: end for id, end in self._in_vain.items() if end > now}
        self._in_vain[transaction.id] = transaction.expires_at

    @contextmanager
    def holding(self, transaction: Transaction) -> Iterator[None]:
        """Tell, while the block runs, that a call is held for `transaction`."""
        if transaction.client:
            calls = self._guests.setdefault(transaction.principal, _Calls(self._begun))
        else:
            calls = self._of(transaction.kernel_id)
        calls.questions[transaction.id] += 1
        self._change(calls)
        try:
            yield
        finally:
            calls.questions[transaction.id] -= 1
            calls.questions += Counter()  # without those that nobody is held for any more
            self._change(calls)
            self._forget(transaction.kernel_id)

    async def changed(self, caller: Caller, after: int, seconds: float) -> tuple[int, list[str]]:
        """Return a revision and the ids of what calls are held for that `caller` shows.

        Waits at most `seconds` for a revision other than `after`.
        """
        kernel = caller.kernel_id
        self._note_host(caller)
        own, guests = self._of(kernel), self._guests_of(caller)
        own.watchers += 1
        try:
            if max(own.revision, guests.revision) == after:
                with anyio.move_on_after(seconds):
                    await self._news(own, guests)
            self._note_host(caller)
            shown = [*own.questions, *(guests.questions if self._shows_guests(caller) else ())]
            return max(own.revision, guests.revision), shown
        finally:
            own.watchers -= 1
            self._forget(kernel)

    def shows(self, caller: Caller, transaction: Transaction) -> bool:
        """Tell whether `caller` is who shows this question of an outside client now."""
        return (
            bool(transaction.client)
            and transaction.principal == caller.principal
            and self._shows_guests(caller)
        )

    def ended(self, kernel_id: str) -> None:
        """Let another notebook show what clients wait for: this kernel has ended."""
        if (host := self._hosts.pop(kernel_id, None)) is not None:
            self._change(self._guests.setdefault(host.principal, _Calls(self._begun)))

    async def _news(self, own: _Calls, guests: _Calls) -> None:
        async with anyio.create_task_group() as tasks:

            async def one(calls: _Calls) -> None:
                await calls.news.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(one, own)
            tasks.start_soon(one, guests)

    def _note_host(self, caller: Caller) -> None:
        """Remember that a notebook's kernel is there to show what clients wait for."""
        if caller.notebook:
            host = self._hosts.setdefault(caller.kernel_id, _Host(caller.principal))
            host.seen = self._clock()

    def _shows_guests(self, caller: Caller) -> bool:
        """Tell whether this kernel is the one: the last that began to ask, and still does."""
        now = self._clock()
        there = [
            kernel
            for kernel, host in self._hosts.items()
            if host.principal == caller.principal and now - host.seen <= _SEEN_SECONDS
        ]
        return bool(there) and there[-1] == caller.kernel_id

    def _guests_of(self, caller: Caller) -> _Calls:
        return self._guests.setdefault(caller.principal, _Calls(self._begun))

    def _of(self, kernel_id: str) -> _Calls:
        return self._callers.setdefault(kernel_id, _Calls(self._begun))

    def _change(self, calls: _Calls) -> None:
        self._revision += 1
        calls.revision = self._revision
        calls.news.set()
        calls.news = anyio.Event()

    def _forget(self, kernel_id: str) -> None:
        """Forget a kernel that holds nothing and that nobody watches."""
        calls = self._callers.get(kernel_id)
        if calls is not None and not calls.questions and not calls.watchers:
            del self._callers[kernel_id]


@dataclass
class _Calls:
    """What is held for one kernel, or for the clients of one person."""

    revision: int
    questions: Counter[str] = field(default_factory=Counter)
    watchers: int = 0
    news: anyio.Event = field(default_factory=anyio.Event)


@dataclass
class _Host:
    """A kernel of a notebook that asks what to show, and when it last did."""

    principal: str
    seen: float = 0.0
