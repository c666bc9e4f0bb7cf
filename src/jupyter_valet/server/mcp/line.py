"""One connection to the broker's listener: a request goes out, and its answer comes bit by bit.

An asyncio protocol around llhttp, because a forwarded call pays for every layer: a client for all
of the web takes as long over one small answer as everything else that the server does for it.
"""

from __future__ import annotations

import asyncio

import httptools

from ...wire.sockets import Readable

MOST = 256 * 1024
"""Bytes of an answer that are kept for a slow client; then reading pauses."""

Headers = list[tuple[str, str]]


class Lost(Exception):
    """The connection ended before the answer did, or what came is no answer."""


class Line(asyncio.Protocol):
    """Serves one exchange at a time. It is llhttp's listener, too."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        """The head of the answer at hand; names are in lower case."""
        self.idle_since = 0.0
        """By the event loop's clock, while nobody uses it."""
        self._transport: asyncio.Transport | None = None
        self._says: Readable | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._asked = self._begun = self._whole = self._keeps = self._paused = False

    async def ask(self, request: bytes) -> None:
        """Send a request, and return when the head of its answer is there. Raises `Lost`."""
        if self._transport is None:
            raise Lost
        self.status, self.headers = 0, []
        self._asked, self._begun, self._whole = True, False, False
        self._transport.write(request)
        while not self._begun:
            await self._more()

    async def piece(self) -> bytes:
        """Return what has come of the body; nothing when that was all. Raises `Lost`."""
        if not self._parts and not self._whole:
            await self._more()
        piece = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return piece

    @property
    def over(self) -> bool:
        """Whether the whole answer has come, and was taken."""
        return self._whole and not self._parts

    @property
    def reusable(self) -> bool:
        """Whether the next request may be sent: the answer is over, and neither side ends it."""
        return self.over and self._keeps and self._transport is not None

    @property
    def quiet(self) -> bool:
        """Whether it is open and has nothing to say, read by us or not: also not that it ends."""
        if self._transport is None or self._transport.is_closing() or self._says is None:
            return False
        return not self._says.within()

    def close(self) -> None:
        """Close the connection at once; to the broker its client has gone (PS-06)."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def _more(self) -> None:
        if self._transport is None:
            raise Lost
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What asyncio tells ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._says = Readable(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer; what is none ends the connection."""
        try:
            if not self._asked or self._whole:
                raise Lost
            self._parser.feed_data(data)
        except (Lost, httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()
        if self._size > MOST and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that no more comes."""
        self._transport = None
        self._wake()

    # What llhttp tells -----------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but no trailer."""
        if not self._begun:
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Keep the status; the broker sends no interim answers, and no second one."""
        if self._begun or self._parser.get_status_code() < 200:
            raise Lost
        self.status = self._parser.get_status_code()
        self._keeps = self._parser.should_keep_alive()
        self._begun = True

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body until it is taken."""
        self._parts.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        """Note the end."""
        self._whole = True
