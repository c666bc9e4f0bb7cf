"""Whole answers over connections that are kept: how a tool's call reaches its API.

A line belongs to one kernel of one person and to one origin, as a pool of `dial` does, and leads to
an address that was vetted when it was dialled (R129, R132). It is ours because a call pays for
every layer: aiohttp, which is for what streams, takes twice as long over one small answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

from aiohappyeyeballs import start_connection

from .dial import KEEPALIVE, POOLS, Destination, vetted
from .http1 import Reader
from .line import NO_NOTE, Line, Lost, Note

_REPEATABLE = frozenset({"GET", "HEAD", "QUERY", "PUT", "DELETE"})
"""Idempotent methods (RFC 9110 §9.2.2): sent again when a kept line turns out to be dead."""

_IDLE = 128
"""Idle lines that are kept to one destination: as many as one kernel may have calls under way."""

_NEXT_ADDRESS = 0.25
"""Seconds until the next address of a host is tried besides (RFC 8305 §5)."""


class _Place:
    """The idle lines to one destination; when it is closed, so is each that comes back."""

    def __init__(self) -> None:
        self.idle: list[Line] = []
        self.wanted = 0.0
        self._closed = False

    def take(self, oldest: float) -> Line | None:
        """Take the line that was used last, if it is still good; close those that are not."""
        while self.idle:
            line = self.idle.pop()
            if line.idle_since > oldest and line.quiet:
                return line
            line.close()
        return None

    def give(self, line: Line, now: float) -> None:
        """Keep `line` for the next request, if it is open."""
        if self._closed or not line.open or len(self.idle) >= _IDLE:
            line.close()
            return
        line.idle_since = now
        self.idle.append(line)

    def close_old(self, oldest: float) -> bool:
        """Close lines that are idle since then; return whether nobody has wanted one since."""
        old = [line for line in self.idle if line.idle_since <= oldest]
        self.idle = [line for line in self.idle if line.idle_since > oldest]
        for line in old:
            line.close()
        return not self.idle and self.wanted <= oldest

    def close(self) -> None:
        """Close all of them."""
        self._closed = True
        for line in self.idle:
            line.close()


class Lines:
    """The idle lines, by destination."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._places: dict[Destination, _Place] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __contains__(self, destination: object) -> bool:
        return destination in self._places

    def __iter__(self) -> Iterator[Destination]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    async def ask(
        self,
        destination: Destination,
        request: bytes,
        method: str,
        limit: int,
        seconds: float,
        note: Note = NO_NOTE,
    ) -> Reader:
        """Send `request` and return its answer, which has come within `seconds`.

        `note` is told each time that it is sent. Raises `AddressRefused`, `Lost`,
        `Malformed`, `TooLarge`, `OSError`, `TimeoutError`, and what `note` raises.
        """
        now = asyncio.get_running_loop().time()
        deadline = now + seconds
        place = self._place(destination, now)
        line = place.take(now - KEEPALIVE)
        if line is not None:
            try:
                answer = await line.exchange(request, method, limit, deadline, note)
            except Lost as lost:
                # It was closed while it was idle, most likely: RFC 9112 §9.3.1.
                if lost.began or method not in _REPEATABLE:
                    raise
            else:
                place.give(line, asyncio.get_running_loop().time())
                return answer
        async with asyncio.timeout_at(deadline):
            line = await self._dial(destination)
        answer = await line.exchange(request, method, limit, deadline, note)
        place.give(line, asyncio.get_running_loop().time())
        return answer

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

    def _place(self, destination: Destination, now: float) -> _Place:
        place = self._places.get(destination)
        if place is None:
            if len(self._places) >= POOLS:
                self._end(min(self._places, key=lambda known: self._places[known].wanted))
            place = self._places[destination] = _Place()
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(KEEPALIVE, self._close_old)
        place.wanted = now
        return place

    def _close_old(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEPALIVE
        for destination in [d for d, place in self._places.items() if place.close_old(oldest)]:
            self._end(destination)
        self._sweep = loop.call_later(KEEPALIVE, self._close_old) if self._places else None

    def _end(self, destination: Destination) -> None:
        self._places.pop(destination).close()

    async def close(self) -> None:
        """Close every idle line, and those in use when they are done."""
        if self._sweep is not None:
            self._sweep.cancel()
        for destination in list(self._places):
            self._end(destination)
        await asyncio.sleep(0)  # a transport closes its socket in the next turn
