"""An answer in one piece of JSON, unless there is something to tell before: then it is a stream.

Progress is told at once. Without any, a stream with pings begins after a while: without a sign of
life, a client or something between would give up a call that waits for a slow upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import cached_property
from typing import Any, Self

from ...wire.held import LONGEST, PATIENCE
from ..http import Whole

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

PING_SECONDS = 15.0
"""Silence before the first ping and between two, as the SDK has it."""

_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class Patience:
    """The answer to one request; `whole` is that, if it came in one piece."""

    def __init__(self, send: Send, whole: Whole | None = None) -> None:
        self._send = send
        self._whole = whole
        self._answered = False
        self._streaming = False
        self._alone = True
        self._pings: asyncio.Task[None] | None = None

    @cached_property
    def _turn(self) -> asyncio.Lock:
        """Whose turn it is to send; most answers have nobody beside them."""
        self._alone = False
        return asyncio.Lock()

    def begin(self) -> None:
        """Send pings from now on, if there is nothing else to send."""
        self._pings = asyncio.create_task(self._ping())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pings is not None:
            self._pings.cancel()

    async def tell(self, message: bytes) -> None:
        """Send a notification ahead of the answer."""
        async with self._turn:
            if not self._answered:
                await self._stream(_event(message))

    async def answer(self, status: int, body: bytes) -> None:
        """Send the answer; in a stream that has begun, its status is no longer seen."""
        if self._alone and self._pings is None:  # nobody who could want a turn
            await self._answer(status, body)
            return
        async with self._turn:
            await self._answer(status, body)

    async def _answer(self, status: int, body: bytes) -> None:
        self._answered = True
        if self._streaming:
            body = _event(body)
        elif status == 200 and self._whole is not None and self._whole.answer(body):
            return
        else:
            length = str(len(body)).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", length)]
            await self._start(status, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            async with self._turn:
                if self._answered:
                    return
                await self._stream(b": ping\r\n\r\n")

    async def _stream(self, data: bytes) -> None:
        if not self._streaming:
            await self._start(200, _STREAM)
            self._streaming = True
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers})


_PATIENCE = PATIENCE.lower().encode()


def declared(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Return how many seconds a client says that it waits, at most `LONGEST`.

    None when it does not say, and when that is no number of seconds.
    """
    said = next((value for name, value in headers if name == _PATIENCE), b"")
    return min(float(said), LONGEST) if said.isdigit() else None


def _event(message: bytes) -> bytes:
    return b"event: message\r\ndata: " + message + b"\r\n\r\n"
