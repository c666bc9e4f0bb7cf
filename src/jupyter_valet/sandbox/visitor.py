"""Stands where a browser does, and comes to wherever an attacker says that it listens."""

from __future__ import annotations

import contextlib
import socket

from .ports import BROWSERS_REFUSE


def come(written: str) -> None:
    """Connect to each place of a text with an address and a port a line, as a browser would.

    It goes to no port that it refuses. Raises `ValueError` when the text is something else.
    """
    for line in written.splitlines():
        host, port = line.split()
        if int(port) in BROWSERS_REFUSE:
            continue
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), 1).close()
