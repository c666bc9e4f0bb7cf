"""A quick answer that takes long after all: it becomes a stream, whose pings keep it alive.

So the SDK's stream does, which costs a call far more than this timer (see `quick`): without a sign
of life, a client or something between would give up a call that waits for a slow upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

PING_SECONDS = 15.0
"""Silence before the first ping and between two, as the SDK has it."""

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
]


class Patience:
    """Passes one JSON answer on, as it is or, when it comes late, as the event of a stream."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = asyncio.Lock()
        self._answered = False
        self._streaming = False
        self._pings: asyncio.Task[None] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be patient while the block runs."""
        timer = asyncio.get_running_loop().call_later(PING_SECONDS, self._lose)
        try:
            yield
        finally:
            timer.cancel()
            if self._pings is not None:
                self._pings.cancel()

    async def send(self, message: Message) -> None:
        """Send what the SDK answers: a head, and a body in one piece."""
        async with self._turn:
            self._answered = True
            if not self._streaming:
                await self._send(message)
            elif message["type"] == "http.response.body":
                event = b"event: message\r\ndata: " + message["body"] + b"\r\n\r\n"
                await self._send({"type": "http.response.body", "body": event})

    def _lose(self) -> None:
        self._pings = asyncio.create_task(self._ping())

    async def _ping(self) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
        ping = {"type": "http.response.body", "body": b": ping\r\n\r\n", "more_body": True}
        while True:
            async with self._turn:
                if self._answered:
                    return
                if not self._streaming:
                    await self._send(head)
                    self._streaming = True
                await self._send(ping)
            await asyncio.sleep(PING_SECONDS)
