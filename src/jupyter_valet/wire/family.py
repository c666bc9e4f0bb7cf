"""The processes of a kernel, and whether one of them has a certain socket (Linux).

Whoever may look at them looks: the broker, or for a broker of another user the server.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .processes import PROC, Peer, stat

_GENERATIONS = 64
"""How far up a process's ancestors are looked at."""


@dataclass(frozen=True)
class Family:
    """A process and, unless `alone`, its descendants and the rest of its session.

    What a kernel leaves running (`nohup`) is in its session or, behind the wall, beneath the
    launcher, to which orphans are given. Nobody gets into either but by birth.
    """

    pid: int
    started: int
    alone: bool = False
    proc: Path = PROC

    @property
    def lives(self) -> bool:
        """Whether the process is still the one that was meant."""
        known = stat(self.pid, self.proc)
        return known is not None and known.started == self.started

    def has(self, inode: int) -> bool:
        """Tell whether a process of the family has the socket with this inode.

        A process whose descriptors may not be looked at has none, as far as this knows.
        """
        return any(self._is_of(pid, inode) for pid in self._candidates())

    def _is_of(self, pid: int, inode: int) -> bool:
        """Look at one process; its number must mean the same one before and after."""
        before = stat(pid, self.proc)
        if before is None or not _holds(self.proc / str(pid) / "fd", inode):
            return False
        after = stat(pid, self.proc)
        return after is not None and after.started == before.started and self._includes(pid)

    def _includes(self, pid: int) -> bool:
        """Tell whether a process is the first one, descends from it, or is of its session."""
        if not self.lives:
            return False
        known = stat(pid, self.proc)
        if self.alone or pid == self.pid or known is None:
            return pid == self.pid
        if known.session == self.pid:
            return True
        for _ in range(_GENERATIONS):
            if known is None or known.parent in (0, self.pid):
                break
            known = stat(known.parent, self.proc)
        return known is not None and known.parent == self.pid

    def _candidates(self) -> Iterator[int]:
        """Yield processes to look at, those that ask most often first, each at most once."""
        seen = {self.pid}
        waiting = [self.pid]
        yield self.pid
        while waiting and not self.alone:
            for child in self._children(waiting.pop(0)):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
                    yield child
        if not self.alone:
            yield from self._left_behind(seen)

    def _children(self, pid: int) -> list[int]:
        found: list[int] = []
        with contextlib.suppress(OSError):
            for task in os.listdir(self.proc / str(pid) / "task"):  # noqa: PTH208
                with contextlib.suppress(OSError):
                    listed = (self.proc / str(pid) / "task" / task / "children").read_bytes()
                    found += [int(child) for child in listed.split()]
        return found

    def _left_behind(self, seen: set[int]) -> Iterator[int]:
        """Yield other processes of the session: their parents have ended, or are hidden."""
        for name in os.listdir(self.proc):  # noqa: PTH208
            if name.isdigit() and int(name) not in seen:
                known = stat(int(name), self.proc)
                if known is not None and known.session == self.pid:
                    yield int(name)


def family_of(peer: Peer) -> Family:
    """Return the processes that are meant."""
    return Family(peer.pid, peer.started, alone=bool(peer.address))


def _holds(folder: Path, inode: int) -> bool:
    wanted = f"socket:[{inode}]"
    with contextlib.suppress(OSError), os.scandir(folder) as descriptors:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                if os.readlink(descriptor.path) == wanted:  # noqa: PTH115 - a third of the time
                    return True
    return False
