"""How often something was done within the last hour, in this process's memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

HOUR = 3600.0


class Rates:
    """Sliding hours, one for each key, of what was let through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def within_hour(self, key: str) -> int:
        """Return how often it was done."""
        times = self._times.setdefault(key, deque())
        while times and times[0] <= self._clock() - HOUR:
            times.popleft()
        return len(times)

    def count(self, key: str) -> None:
        """Count one more."""
        self._times.setdefault(key, deque()).append(self._clock())
