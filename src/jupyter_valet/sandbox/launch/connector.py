"""Threads that make connections, in a Landlock domain that nothing else of the supervisor is in.

A domain is a thread's, and of those that it starts (landlock(7)). The thread that reads the
callers' memory is not in this one: a tracer must be in the domain of the traced, or above it. And
to enter it takes some 25 ms, to copy 65,000 rules: the kernel starts meanwhile.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Connector(Generic[Job]):
    """Takes jobs from the first moment, and does them once it is in the domain."""

    def __init__(self, enter: Callable[[], None]) -> None:
        """`enter` takes a thread into the domain; if it cannot, this process ends."""
        self._jobs: queue.SimpleQueue[tuple[Callable[[Job], None], Job, Job, bool]]
        self._jobs = queue.SimpleQueue()
        threading.Thread(target=self._run, args=(enter,), daemon=True).start()

    def do(self, work: Callable[[Job], None], job: Job, instead: Job, *, may_wait: bool) -> None:
        """Do `work(job)` there, in a thread of its own if it may wait; if none starts, `instead`.

        `work` raises nothing.
        """
        self._jobs.put((work, job, instead, may_wait))

    def _run(self, enter: Callable[[], None]) -> None:
        try:
            enter()
            while True:
                self._do(*self._jobs.get())
        except Exception as error:
            sys.stderr.write(f"[E valet-sandbox] The kernel was ended: {error}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)  # whatever it was: no connection is made outside of the domain

    @staticmethod
    def _do(work: Callable[[Job], None], job: Job, instead: Job, may_wait: bool) -> None:
        if not may_wait:
            work(job)
            return
        try:
            threading.Thread(target=work, args=(job,), daemon=True).start()
        except RuntimeError:
            work(instead)
