"""Room for open connections: systems give a process few descriptors unless it asks for more."""

from __future__ import annotations

import contextlib
from functools import cache

ENOUGH = 16384
"""Descriptors for some thousand clients that are left open, each with a connection."""

CONNECTIONS = 4096
"""Connections open at once, where the system has room for them: an editor that is left open keeps
one or two, and so does each kernel."""


def connections() -> int:
    """Return how many connections the listener takes."""
    return min(CONNECTIONS, room() // 2)


@cache
def room() -> int:
    """Return how many descriptors this process may have, after asking for enough (getrlimit(2))."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return ENOUGH
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return ENOUGH
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], ENOUGH)
