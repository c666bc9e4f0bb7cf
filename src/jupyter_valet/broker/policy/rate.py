"""How often something was done within the last hour, in this process's memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

HOUR = 3600.0


class Rates:
    """Sliding hours, one for each key. It counts what was let through, and nothing else."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def take(self, key: str, most: int) -> bool:
        """Count one more and return True, unless there were `most` within the last hour."""
        now = self._clock()
        times = self._times.setdefault(key, deque())
        while times and times[0] <= now - HOUR:
            times.popleft()
        if len(times) >= most:
            return False
        times.append(now)
        return True

    def forget(self, key: str) -> None:
        """Drop what is known of `key`."""
        self._times.pop(key, None)
