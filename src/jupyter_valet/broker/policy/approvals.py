"""What people allowed single kernels to write. In memory: it ends with the kernel or the broker."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable


class Approvals:
    """Leave for single writes, and for the writes of one tool in one run of a kernel."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._once: dict[str, dict[str, float]] = defaultdict(dict)
        self._runs: dict[str, set[tuple[str, str]]] = defaultdict(set)

    def allow_once(self, kernel_id: str, digest: str, expires_at: float) -> None:
        """Let the one request with this digest through, once, until `expires_at`."""
        self._once[kernel_id][digest] = expires_at

    def allow_run(self, kernel_id: str, tool: str, connection: str) -> None:
        """Let `tool` write with `connection` until the kernel ends."""
        self._runs[kernel_id].add((tool, connection))

    def has_run(self, kernel_id: str, tool: str, connection: str) -> bool:
        """Tell whether `tool` may write in this run."""
        return (tool, connection) in self._runs.get(kernel_id, ())

    def take(self, kernel_id: str, digest: str) -> bool:
        """Use up the leave for one request; True once."""
        expires_at = self._once.get(kernel_id, {}).pop(digest, 0.0)
        return self._clock() < expires_at

    def end_connection(self, connection: str) -> None:
        """Forget what was allowed with a connection that has ended.

        (A single write is good for ten minutes at most, and its digest holds the connection.)
        """
        for allowed in self._runs.values():
            allowed -= {pair for pair in allowed if pair[1] == connection}

    def end_kernel(self, kernel_id: str) -> None:
        """Forget what a kernel that stopped or restarts was allowed."""
        self._once.pop(kernel_id, None)
        self._runs.pop(kernel_id, None)
