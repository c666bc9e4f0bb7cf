"""Locks by name that hold across tasks and processes, and end with the process that has them."""

from __future__ import annotations

import contextlib
import hashlib
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Protocol

import anyio
from filelock import FileLock, Timeout

from .files import FILE_MODE, private_folder

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05


class Busy(Exception):
    """Somebody else holds the lock."""


class Locks(Protocol):
    """The locks of one vault."""

    def held(self, name: str, seconds: float) -> AbstractContextManager[None]:
        """Hold a lock, waiting for it and blocking meanwhile. Raises `Busy` when that is over."""

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock without blocking the event loop; tasks of this process queue fairly."""


class Taking(Protocol):
    """A lock that is taken at once or not at all."""

    def take(self) -> bool:
        """Take it when it is free."""

    def release(self) -> None:
        """Let it go."""


class Queues:
    """What makes tasks of one process wait their turn before they ask other processes."""

    def __init__(self) -> None:
        self._tasks: weakref.WeakValueDictionary[str, anyio.Lock] = weakref.WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def turn(self, name: str, lock: Taking) -> AsyncIterator[None]:
        """Hold `lock` in this task's turn."""
        tasks = self._tasks.get(name)
        if tasks is None:
            tasks = self._tasks[name] = anyio.Lock()
        async with tasks:
            pause = _FIRST_PAUSE
            while not lock.take():
                await anyio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                yield
            finally:
                lock.release()


class FileLocks:
    """The lock files of one vault. Their names tell nothing about what they lock.

    The system releases them, also on `kill -9`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)
        self._queues = Queues()

    @contextlib.contextmanager
    def held(self, name: str, seconds: float) -> Iterator[None]:
        """Hold a lock, waiting for it and blocking meanwhile. Raises `Busy` when that is over."""
        lock = self._file(name)
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            raise Busy from None
        try:
            yield
        finally:
            lock.release()

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock without blocking the event loop; tasks of this process queue fairly."""
        return self._queues.turn(name, _File(self._file(name)))

    def _file(self, name: str) -> FileLock:
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        return FileLock(self._folder / f"{digest}.lock", mode=FILE_MODE, thread_local=False)


class _File:
    """A lock file that is taken at once or not at all."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def take(self) -> bool:
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        self._lock.release()
