"""Whether a socket has something to say: asked on both sides before a kept connection is used."""

from __future__ import annotations

import select
import socket


class Readable:
    """Asks one socket, as long as that is open, and from one thread at a time.

    uvloop's stand-in for a socket will do, too.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # No limit on the number of the descriptor; Windows has none of these.
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(sock, select.POLLIN)

    def within(self, seconds: float = 0.0) -> bool:
        """Tell whether bytes or the end of the connection come within `seconds`."""
        if self._poll is not None:
            return bool(self._poll.poll(seconds * 1000))
        return bool(select.select([self._sock], [], [], seconds)[0])
