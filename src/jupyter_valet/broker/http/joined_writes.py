"""One system call for what belongs together: an answer's head and its body.

uvicorn writes the two apart, so a client that waits wakes twice; each send costs a call as much as
its policy, its credential and its audit together.
"""

from __future__ import annotations

import asyncio
from typing import Any

_ENOUGH = 65536
"""Bytes after which nothing more is waited for, so that the transport can say when it is full."""


class JoinedWrites:
    """A transport that sends what is written in one turn of the event loop in one piece."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send `data`, in this turn of the loop or right after it."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _ENOUGH:
            self.flush()

    def write_now(self, data: bytes) -> None:
        """Send `data` behind what there is, without waiting for more."""
        if self._parts:
            self._parts.append(data)
            self.flush()
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection once everything is sent."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Send what there is."""
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            self._transport.write(data)
