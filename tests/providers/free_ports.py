"""Port numbers for servers that are told theirs before they run, and for places where nobody is."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import tempfile
from pathlib import Path
from typing import IO

_NUMBERS = range(20000, 30000)
"""Below those that Linux hands out by itself (net.ipv4.ip_local_port_range, 32768 to 60999): a
number of these is not taken, between two looks at it, by a connection of some other test's."""

_held: list[IO[bytes]] = []


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that no other test takes until this process ends."""
    folder = Path(tempfile.gettempdir(), f"jupyter-valet-test-ports-{os.geteuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        number = secrets.choice(_NUMBERS)
        lock = (folder / str(number)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", number))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return number
