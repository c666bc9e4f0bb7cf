"""Small things kept for a moment, once: what must survive one hop of the browser."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Held(Generic[T]):
    """Values by key; each can be taken once, within `seconds`.

    At most `limit` are kept: the callback takes requests from people who are not logged in, and
    must not fill the server's memory for them.
    """

    def __init__(
        self, *, seconds: float, limit: int = 64, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._limit = limit
        self._clock = clock
        self._values: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def put(self, key: str, value: T) -> None:
        """Keep `value` under `key`; the oldest goes when there are too many."""
        self._values.pop(key, None)
        self._values[key] = (self._clock() + self._seconds, value)
        while len(self._values) > self._limit:
            self._values.popitem(last=False)

    def take(self, key: str) -> T | None:
        """Return the value and forget it; None when there is none (any more)."""
        expires_at, value = self._values.pop(key, (0.0, None))
        return value if self._clock() < expires_at else None
