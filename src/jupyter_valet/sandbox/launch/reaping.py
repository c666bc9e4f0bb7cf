"""Ends what a kernel left running; for a process that orphans are given to (prctl(2))."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator

from . import system

_RESERVE = 64


@contextlib.contextmanager
def reaping() -> Iterator[None]:
    """At the end of the block, whatever ended it, kill what the kernel left running.

    The last descriptors are kept for that: a kernel decides how many of ours it takes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - min(_RESERVE, soft // 2), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        kill_children()


def kill_children(seconds: float = 2.0) -> None:
    """Kill all children, and theirs, within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for child in _children():
            with contextlib.suppress(OSError):
                os.kill(child, system.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.005)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):  # noqa: PTH208
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as listing:  # noqa: PTH123
                found += [int(pid) for pid in listing.read().split()]
    return found
