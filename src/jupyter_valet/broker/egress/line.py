"""One open connection to an upstream, for one exchange at a time and one caller (R129)."""

from __future__ import annotations

import asyncio
from typing import cast

from ...wire.sockets import Readable
from .http1 import Malformed, Reader, TooLarge


class Lost(Exception):
    """The connection ended before the answer did. `began` tells whether any of it had come."""

    def __init__(self, *, began: bool) -> None:
        super().__init__("the connection was lost")
        self.began = began


class Note:
    """Told of each sending of a request with a credential; this one keeps it to itself."""

    def before(self) -> None:
        """Hear that the request is sent next; what this raises keeps it from being sent."""

    def after(self) -> None:
        """Hear that it was sent. Its answer is on the way, and gets nowhere if this raises."""


NO_NOTE = Note()


class Line(asyncio.Protocol):
    """Sends one request after the other, and closes itself when anything is said unasked."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        """By the event loop's clock, while nobody uses it."""
        self._transport: asyncio.Transport | None = None
        self._reader: Reader | None = None
        self._whole: asyncio.Future[None] | None = None
        self._says: Readable | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(
        self, request: bytes, method: str, limit: int, deadline: float, note: Note = NO_NOTE
    ) -> Reader:
        """Send `request`, which is of `method`, and return its answer, whole.

        Its body has `limit` bytes at most; `deadline` is by the event loop's clock. Raises `Lost`,
        `Malformed`, `TooLarge`, `TimeoutError`, and what `note` raises; then, and when it is
        cancelled, the line is closed, and so it is when it cannot be kept.
        """
        if self._transport is None:
            raise Lost(began=False)
        loop = asyncio.get_running_loop()
        try:
            note.before()
            self._transport.write(request)
            # What need not come before, comes now: the answer is on its way.
            self._reader = reader = Reader(method, limit)
            self._whole = loop.create_future()
            self._end_at(deadline, loop)
            note.after()
            await self._whole
        except BaseException:
            self.close()
            raise
        finally:
            self._reader = self._whole = None
        # What is not sent yet belongs to a request that was answered already.
        if not reader.keeps or self._unsent:
            self.close()
        return reader

    @property
    def quiet(self) -> bool:
        """Whether it is open and nothing was said since the last answer, read by us or not.

        What came unasked would be the answer to the next request (R133).
        """
        return self.open and self._says is not None and not self._says.within()

    @property
    def open(self) -> bool:
        """Whether the next request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def close(self) -> None:
        """Close the connection at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # What asyncio tells ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, whose kind is that of a TCP connection."""
        self._transport = cast("asyncio.Transport", transport)  # other loops have their own class
        self._says = Readable(transport.get_extra_info("socket"))

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
        self.close()
        if self._reader is None or self._whole is None or self._whole.done():
            return
        if exc is None and self._reader.end():
            self._whole.set_result(None)
        else:
            self._whole.set_exception(Lost(began=self._reader.began))

    def _end_at(self, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        """See to the deadline of an exchange: a timer outlives many of them, and is set again."""
        if self._timer is not None and deadline < self._deadline:
            self._timer.cancel()
            self._timer = None
        self._deadline = deadline
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._look_at_the_clock, loop)

    def _look_at_the_clock(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._whole is None or self._whole.done():
            return
        if loop.time() < self._deadline:
            self._timer = loop.call_at(self._deadline, self._look_at_the_clock, loop)
        else:
            self._fail(TimeoutError())

    def _fail(self, error: Exception) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(error)
