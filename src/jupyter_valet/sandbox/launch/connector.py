"""A thread that does for the supervisor what may wait, so that it is always there to judge.

Connections are made in a Landlock domain that nothing else of the supervisor is in. A domain is a
thread's, and of those that it starts (landlock(7)). The thread that reads the callers' memory is
not in this one: a tracer must be in the domain of the traced, or above it. And to enter it takes
some 25 ms, to copy 65,000 rules: the kernel starts meanwhile.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import queue
import signal
import sys
import threading
from collections.abc import Callable

Work = Callable[[], None]
"""Raises nothing."""

AT_ONCE = 256
"""Threads that wait for an answer at once; more connections wait for one of them."""

WAKE = signal.SIGUSR2
"""What interrupts a thread that waits. Its handler does nothing, and no call is restarted."""


class Wait:
    """A call that may wait, is made once, and can be broken off."""

    def __init__(self, act: Callable[[], int], finish: Callable[[int], None]) -> None:
        """`act` makes the call and returns 0 or the error number, which `finish` is told."""
        self._act, self._finish = act, finish
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._broken = False
        self.over = False

    def run(self) -> None:
        """Make the call, unless it was given up before; EINTR says that it was broken off."""
        with self._lock:
            if self.over:
                return
            self._thread = threading.get_ident()
        while (error := self._act()) == errno.EINTR and not self._broken:
            pass
        with self._lock:
            self._thread, self.over = None, True
        self._finish(error)

    def break_off(self) -> bool:
        """Interrupt the call; True when it has not begun, and is for `give_up`.

        A signal that comes too early is lost: who means it repeats it.
        """
        with self._lock:
            if self._thread is not None:
                self._broken = True
                signal.pthread_kill(self._thread, WAKE)
            return self._thread is None and not self.over

    def give_up(self, error: int) -> None:
        """Finish without having made the call, unless it has begun."""
        with self._lock:
            if self.over or self._thread is not None:
                return
            self.over = True
        self._finish(error)


class Connector:
    """Takes work from the first moment, and does it once it is in the domain."""

    def __init__(self, enter: Callable[[], None], end: Callable[[], None]) -> None:
        """`enter` takes a thread into the domain; if it cannot, `end` ends the kernel."""
        self._work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running = 0
        self._next: collections.deque[Wait] = collections.deque()
        self.starting = threading.Lock()
        """Held while a thread starts: nobody else who holds it sees a new one."""
        threading.Thread(target=self._run, args=(enter, end), daemon=True).start()

    def in_turn(self, work: Work) -> None:
        """Do `work` when what came before is done."""
        self._work.put(work)

    def aside(self, wait: Wait) -> None:
        """Let `wait` run in a thread that may wait, when there is one."""
        self._work.put(lambda: self._start(wait))

    def _run(self, enter: Callable[[], None], end: Callable[[], None]) -> None:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - {WAKE})
            enter()
            while True:
                self._work.get()()
        except BaseException as error:  # whatever it is: nobody connects from outside of the domain
            end()
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"[E valet-sandbox] The kernel was ended: {error}\n")

    def _start(self, wait: Wait) -> None:
        with self._lock:
            if self._running >= AT_ONCE:
                self._next.append(wait)
                return
            self._running += 1
        try:
            with self.starting:
                threading.Thread(target=self._run_each, args=(wait,), daemon=True).start()
        except RuntimeError:  # the system has no more threads
            with self._lock:
                self._running -= 1
            wait.give_up(errno.EAGAIN)

    def _run_each(self, wait: Wait) -> None:
        while True:
            wait.run()
            with self._lock:
                if not self._next:
                    self._running -= 1
                    return
                wait = self._next.popleft()
