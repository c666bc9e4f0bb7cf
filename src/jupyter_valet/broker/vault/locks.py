"""Locks by name that hold across tasks and processes, and that the system releases on `kill -9`."""

from __future__ import annotations

import contextlib
import hashlib
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
from filelock import FileLock, Timeout

from .files import FILE_MODE, private_folder

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05


class Locks:
    """The lock files of one vault. Their names tell nothing about what they lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)
        self._tasks: weakref.WeakValueDictionary[str, anyio.Lock] = weakref.WeakValueDictionary()

    def file(self, name: str) -> FileLock:
        """Return the lock between processes, for those who may block."""
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        return FileLock(self._folder / f"{digest}.lock", mode=FILE_MODE, thread_local=False)

    @contextlib.asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Hold the lock without blocking the event loop; tasks of this process queue fairly."""
        tasks = self._tasks.get(name)
        if tasks is None:
            tasks = self._tasks[name] = anyio.Lock()
        async with tasks:
            lock = self.file(name)
            await _acquire(lock)
            try:
                yield
            finally:
                lock.release()


async def _acquire(lock: FileLock) -> None:
    pause = _FIRST_PAUSE
    while True:
        try:
            lock.acquire(blocking=False)
            return
        except Timeout:
            await anyio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
