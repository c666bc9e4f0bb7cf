"""One open connection to an upstream, for one exchange at a time and one caller (R129)."""

from __future__ import annotations

import asyncio
import select
import socket
from typing import cast

from .http1 import Malformed, Reader, TooLarge


class Lost(Exception):
    """The connection ended before the answer did. `began` tells whether any of it had come."""

    def __init__(self, *, began: bool) -> None:
        super().__init__("the connection was lost")
        self.began = began


class Line(asyncio.Protocol):
    """Sends one request after the other, and closes itself when anything is said unasked."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        """By the event loop's clock, while nobody uses it."""
        self._transport: asyncio.Transport | None = None
        self._reader: Reader | None = None
        self._whole: asyncio.Future[None] | None = None
        self._socket: socket.socket | None = None

    async def exchange(self, request: bytes, reader: Reader, deadline: float) -> bool:
        """Send `request` and let `reader` read its answer; return whether the line may be kept.

        `deadline` is by the event loop's clock. Raises `Lost`, `Malformed`, `TooLarge` and
        `TimeoutError`; then, and when it is cancelled, the line is closed.
        """
        loop = asyncio.get_running_loop()
        if self._transport is None:
            raise Lost(began=False)
        self._reader = reader
        self._whole = loop.create_future()
        timer = loop.call_at(deadline, self._fail, TimeoutError())
        try:
            self._transport.write(request)
            await self._whole
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
            self._reader = self._whole = None
        # What is not sent yet belongs to a request that was answered already.
        return reader.keeps and self._open and not self._unsent

    @property
    def quiet(self) -> bool:
        """Whether it is open and nothing was said since the last answer, read by us or not.

        What came unasked would be the answer to the next request (R133).
        """
        return self._open and self._socket is not None and not _readable(self._socket)

    @property
    def _open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def close(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # What asyncio tells ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, whose kind is that of a TCP connection."""
        self._transport = cast("asyncio.Transport", transport)  # other loops have their own class
        self._socket = transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        """Read on, or close a line on which somebody speaks unasked."""
        if self._reader is None or self._whole is None or self._whole.done():
            self.close()
            return
        try:
            if self._reader.feed(data):
                self._whole.set_result(None)
        except (Malformed, TooLarge) as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so to who waits; an answer may be whole by it."""
        self._transport = None
        if self._reader is None or self._whole is None or self._whole.done():
            return
        if exc is None and self._reader.end():
            self._whole.set_result(None)
        else:
            self._whole.set_exception(Lost(began=self._reader.began))

    def _fail(self, error: Exception) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(error)


def _readable(sock: socket.socket) -> bool:
    """Tell whether bytes, or the end, have come."""
    if hasattr(select, "poll"):  # no limit on the number of the descriptor
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])
