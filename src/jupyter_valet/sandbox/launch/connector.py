"""A thread that does for the supervisor what may wait, so that it is always there to judge.

Connections are made in a Landlock domain that nothing else of the supervisor is in. A domain is a
thread's, and of those that it starts (landlock(7)). The thread that reads the callers' memory is
not in this one: a tracer must be in the domain of the traced, or above it. And to enter it takes
some 25 ms, to copy 65,000 rules: the kernel starts meanwhile.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable

Work = Callable[[], None]
"""Raises nothing."""

MOST_WAITING = 256
"""Connections that may wait for an answer at once: each keeps a thread and two descriptors."""


class Connector:
    """Takes work from the first moment, and does it once it is in the domain."""

    def __init__(self, enter: Callable[[], None], end: Callable[[], None]) -> None:
        """`enter` takes a thread into the domain; if it cannot, `end` ends the kernel."""
        self._work: queue.SimpleQueue[tuple[Work, Work | None]] = queue.SimpleQueue()
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        self.starting = threading.Lock()
        """Held while a thread starts: nobody else who holds it sees a new one."""
        threading.Thread(target=self._run, args=(enter, end), daemon=True).start()

    def in_turn(self, work: Work) -> None:
        """Do `work` when what came before is done."""
        self._work.put((work, None))

    def aside(self, work: Work, instead: Work) -> None:
        """Do `work` in a thread of its own, or `instead` where there cannot be one more."""
        self._work.put((work, instead))

    def _run(self, enter: Callable[[], None], end: Callable[[], None]) -> None:
        try:
            enter()
            while True:
                work, instead = self._work.get()
                if instead is None or not self._starts(work):
                    (instead or work)()
        except BaseException as error:  # whatever it is: nobody connects from outside of the domain
            end()
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"[E valet-sandbox] The kernel was ended: {error}\n")

    def _starts(self, work: Work) -> bool:
        if not self._room.acquire(blocking=False):
            return False
        try:
            with self.starting:
                threading.Thread(target=self._do_aside, args=(work,), daemon=True).start()
        except RuntimeError:
            self._room.release()
            return False
        return True

    def _do_aside(self, work: Work) -> None:
        try:
            work()
        finally:
            self._room.release()
