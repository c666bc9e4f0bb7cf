"""Ends what a kernel left running; for a process that orphans are given to (prctl(2))."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator

from . import system

_RESERVE = 64
_SECONDS = 10.0


@contextlib.contextmanager
def reaping(*, confined: bool) -> Iterator[None]:
    """At the end of the block, whatever ended it, kill what the kernel left running.

    The last descriptors are kept for that: a kernel decides how many of ours it takes. `confined`
    says that this process's signals stay with what the kernel started.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - min(_RESERVE, soft // 2), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        end_all(confined=confined)


def end_all(*, confined: bool) -> None:
    """Kill all that the kernel left, within ten seconds.

    If `confined`, everything at once that a signal reaches, between two forks of whoever forks for
    ever; else child by child. Never say so of a process that is not: its user's programs all die.
    """
    kill = _kill_reachable if confined else _kill_children
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        kill()
        if not _reaped():
            return
        time.sleep(0.002)


def signals_stay(outside: int) -> bool:
    """Tell whether no signal of this process reaches `outside`, a process of the same user."""
    try:
        os.kill(outside, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def reap_all_but(kernel: int) -> None:
    """Take the status of every child that ended: nobody else does, and it stays until then."""
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid == kernel:
                return
            os.waitpid(ended.si_pid, 0)


def _reaped() -> bool:
    """Take the status of whoever ended; tell whether a child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _kill_reachable() -> None:
    with contextlib.suppress(OSError):
        os.kill(-1, system.SIGKILL)


def _kill_children() -> None:
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):  # noqa: PTH208
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as listing:  # noqa: PTH123
                for pid in listing.read().split():
                    with contextlib.suppress(OSError):
                        os.kill(int(pid), system.SIGKILL)
