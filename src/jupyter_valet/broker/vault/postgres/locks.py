"""Locks of a vault that hold between machines, by PostgreSQL's advisory locks.

One is lost with its session: when the database restarts, or is not heard of for half a minute. So
they save work and do not protect data: what they guard is also written by compare and set. Where a
second holder would do harm, when the ring is replaced, a lock of this machine is held as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

from ..locks import Busy, FileLocks, Queues
from .sessions import LockSession

_PAUSE_SECONDS = 0.02


class AdvisoryLocks:
    """The locks of one owner's vault. Their numbers tell nothing about what they lock."""

    def __init__(self, session: LockSession, owner: str, files: FileLocks) -> None:
        self._session = session
        self._owner = owner
        self._files = files
        self._queues = Queues()

    @contextlib.contextmanager
    def held(self, name: str, seconds: float) -> Iterator[None]:
        """Hold a lock, waiting for it and blocking meanwhile. Raises `Busy` when that is over."""
        until = time.monotonic() + seconds
        lock = self._lock(name)
        with self._files.held(name, seconds):
            while not lock.take():
                if time.monotonic() >= until:
                    raise Busy
                time.sleep(_PAUSE_SECONDS)
            try:
                yield
            finally:
                lock.release()

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock without blocking the event loop; tasks of this process queue fairly."""
        return self._queues.turn(name, self._lock(name))

    def _lock(self, name: str) -> _Advisory:
        digest = hashlib.sha256(f"{self._owner}\0{name}".encode()).digest()
        return _Advisory(self._session, int.from_bytes(digest[:8], signed=True))


class _Advisory:
    """One lock, taken at once or not at all."""

    def __init__(self, session: LockSession, number: int) -> None:
        self._session = session
        self._number = number

    def take(self) -> bool:
        return self._session.take(self._number)

    def release(self) -> None:
        self._session.release(self._number)
