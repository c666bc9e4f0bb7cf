"""Whole answers over connections that are kept: how a tool's call reaches its API.

A line belongs to one kernel of one person and to one origin, as a pool of `dial` does, and leads to
an address that was vetted when it was dialled (R129, R132). It is ours because a call pays for
every layer: aiohttp, which is for what streams, takes twice as long over one small answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Iterator

from aiohappyeyeballs import start_connection

from .dial import KEEPALIVE, POOLS, Destination, vetted
from .http1 import Reader
from .line import Line, Lost

_REPEATABLE = frozenset({"GET", "HEAD", "QUERY", "PUT", "DELETE"})
"""Idempotent methods (RFC 9110 §9.2.2): sent again when a kept line turns out to be dead."""

_IDLE = 32
"""Idle lines that are kept to one destination."""

_NEXT_ADDRESS = 0.25
"""Seconds until the next address of a host is tried besides (RFC 8305 §5)."""


class Lines:
    """The idle lines, by destination."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._idle: OrderedDict[Destination, list[Line]] = OrderedDict()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    def __contains__(self, destination: object) -> bool:
        return destination in self._idle

    def __iter__(self) -> Iterator[Destination]:
        return iter(self._idle)

    def __len__(self) -> int:
        return len(self._idle)

    async def ask(
        self, destination: Destination, request: bytes, method: str, limit: int, seconds: float
    ) -> Reader:
        """Send `request` and return its answer, which has come within `seconds`.

        Raises `AddressRefused`, `Lost`, `Malformed`, `TooLarge`, `OSError` and `TimeoutError`.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        line = self._take(destination)
        if line is not None:
            reader = Reader(method, limit)
            try:
                await self._exchange(destination, line, request, reader, deadline)
            except Lost as lost:
                # It was closed while it was idle, most likely: RFC 9112 §9.3.1.
                if lost.began or method not in _REPEATABLE:
                    raise
            else:
                return reader
        reader = Reader(method, limit)
        async with asyncio.timeout_at(deadline):
            line = await self._dial(destination)
        await self._exchange(destination, line, request, reader, deadline)
        return reader

    async def _exchange(
        self, destination: Destination, line: Line, request: bytes, reader: Reader, deadline: float
    ) -> None:
        if await line.exchange(request, reader, deadline):
            self._give(destination, line)
        else:
            line.close()

    async def _dial(self, destination: Destination) -> Line:
        origin = destination.origin
        addresses = await vetted(destination)
        sock = await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS)
        tls = self._context() if origin.scheme == "https" else None
        _, line = await asyncio.get_running_loop().create_connection(
            Line, sock=sock, ssl=tls, server_hostname=origin.host if tls else None
        )
        return line

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    # Idle lines ------------------------------------------------------------------------------

    def _take(self, destination: Destination) -> Line | None:
        lines = self._idle.setdefault(destination, [])
        oldest = asyncio.get_running_loop().time() - KEEPALIVE
        while lines:
            line = lines.pop()
            if line.idle_since > oldest and line.quiet:
                return line
            line.close()
        return None

    def _give(self, destination: Destination, line: Line) -> None:
        loop = asyncio.get_running_loop()
        line.idle_since = loop.time()
        lines = self._idle.setdefault(destination, [])
        self._idle.move_to_end(destination)
        lines.append(line)
        if len(lines) > _IDLE or self._closed:
            lines.pop(0).close()
        if len(self._idle) > POOLS:
            _close(self._idle.popitem(last=False)[1])
        if self._sweep is None and not self._closed:
            self._sweep = loop.call_later(KEEPALIVE, self._close_old)

    def _close_old(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEPALIVE
        for destination, lines in list(self._idle.items()):
            _close([line for line in lines if line.idle_since <= oldest])
            lines[:] = [line for line in lines if line.idle_since > oldest]
            if not lines:
                del self._idle[destination]
        if self._idle:
            self._sweep = loop.call_later(KEEPALIVE, self._close_old)

    async def close(self) -> None:
        """Close every idle line."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            _close(self._idle.popitem()[1])
        await asyncio.sleep(0)  # a transport closes its socket in the next turn


def _close(lines: list[Line]) -> None:
    for line in lines:
        line.close()
