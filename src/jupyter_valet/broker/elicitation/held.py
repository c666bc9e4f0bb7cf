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
from .transaction import Transaction

_BEFORE_ITS_END = 1.0
"""Seconds before a question expires at which a call gives up: "not signed in" says what to do."""


class Held:
    """The calls that are held in this process, by kernel. Nothing of it is stored."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        # Random at first: after a restart of the broker it must not be what a kernel saw before.
        self._begun = self._revision = secrets.randbelow(1 << 48)
        self._kernels: dict[str, _Kernel] = {}
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
        kernel = self._kernel(transaction.kernel_id)
        kernel.questions[transaction.id] += 1
        self._change(kernel)
        try:
            yield
        finally:
            kernel.questions[transaction.id] -= 1
            kernel.questions += Counter()  # without those that nobody is held for any more
            self._change(kernel)
            self._forget(transaction.kernel_id)

    async def changed(self, kernel_id: str, after: int, seconds: float) -> tuple[int, list[str]]:
        """Return a revision and the ids of what calls are held for.

        Waits at most `seconds` for a revision other than `after`.
        """
        kernel = self._kernel(kernel_id)
        kernel.watchers += 1
        try:
            if kernel.revision == after:
                with anyio.move_on_after(seconds):
                    await kernel.news.wait()
            return kernel.revision, list(kernel.questions)
        finally:
            kernel.watchers -= 1
            self._forget(kernel_id)

    def _kernel(self, kernel_id: str) -> _Kernel:
        return self._kernels.setdefault(kernel_id, _Kernel(self._begun))

    def _change(self, kernel: _Kernel) -> None:
        self._revision += 1
        kernel.revision = self._revision
        kernel.news.set()
        kernel.news = anyio.Event()

    def _forget(self, kernel_id: str) -> None:
        """Forget a kernel that holds nothing and that nobody watches."""
        kernel = self._kernels.get(kernel_id)
        if kernel is not None and not kernel.questions and not kernel.watchers:
            del self._kernels[kernel_id]


@dataclass
class _Kernel:
    """What is held for one kernel."""

    revision: int
    questions: Counter[str] = field(default_factory=Counter)
    watchers: int = 0
    news: anyio.Event = field(default_factory=anyio.Event)
