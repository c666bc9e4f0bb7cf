"""Whose turn it is: the official suite starts forty clients at once, on however few cores.

A client that waits for its turn costs nothing; forty that work at once make each other's time-outs
fire, which says nothing about the protocol.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from filelock import FileLock, Timeout

VARIABLE = "CONFORMANCE_TURNS"
"""The folder where turns are taken; without it, everybody goes at once."""


def one_s_turn() -> FileLock | None:
    """Wait until fewer clients work than there are cores; the lock is the turn."""
    folder = os.environ.get(VARIABLE)
    while folder:
        for number in range(os.cpu_count() or 1):
            lock = FileLock(Path(folder) / f"{number}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return lock
        time.sleep(0.1)
    return None
