"""What people allowed single kernels to write. In memory: it ends with the kernel or the broker.

A program that several people of a server signed in is one client id: what one of them allows, and
what ends when one of them signs out, is theirs alone.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

Who = tuple[str, str]
"""A person, and the kernel or client that acts for them."""


class Approvals:
    """Leave for single writes, and for the writes of one tool in one run of a kernel."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._once: dict[Who, dict[str, float]] = defaultdict(dict)
        self._runs: dict[Who, set[tuple[str, str]]] = defaultdict(set)

    def allow_once(self, who: Who, digest: str, expires_at: float) -> None:
        """Let the one request with this digest through, once, until `expires_at`."""
        self._once[who][digest] = expires_at

    def allow_run(self, who: Who, tool: str, connection: str) -> None:
        """Let `tool` write with `connection` until the kernel ends."""
        self._runs[who].add((tool, connection))

    def has_run(self, who: Who, tool: str, connection: str) -> bool:
        """Tell whether `tool` may write in this run."""
        return (tool, connection) in self._runs.get(who, ())

    def take(self, who: Who, digest: str) -> bool:
        """Use up the leave for one request; True once."""
        expires_at = self._once.get(who, {}).pop(digest, 0.0)
        return self._clock() < expires_at

    def end_connection(self, connection: str) -> None:
        """Forget what was allowed with a connection that has ended.

        (A single write is good for ten minutes at most, and its digest holds the connection.)
        """
        for allowed in self._runs.values():
            allowed -= {pair for pair in allowed if pair[1] == connection}

    def end_kernel(self, kernel_id: str, principal: str = "") -> None:
        """Forget what a kernel that ended was allowed, or a client of `principal`'s."""
        for allowed in (self._once, self._runs):
            for who in [w for w in allowed if w == (principal or w[0], kernel_id)]:
                del allowed[who]
