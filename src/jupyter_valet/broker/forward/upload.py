"""The body of a request that is passed on: kept when it is small, else passed on as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from ...wire.errors import ValetError
from .limits import ForwardLimits
from .misdirected import Misdirected

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class ClientGone(Exception):
    """The client went away before it had sent everything."""


class Upload:
    """One body. `begin` reads as much as is kept; then it is `kept`, or must be `streamed`."""

    def __init__(self, receive: Receive, limits: ForwardLimits, watch: Misdirected) -> None:
        self._receive = receive
        self._limits = limits
        self._watch = watch
        self._left = limits.stream.request_bytes
        self._begun: list[bytes] = []
        self.complete = False
        self.failure: Exception | None = None
        """Why streaming it ended early; the HTTP client that reads it says so in its own words."""

    async def begin(self) -> bytes | None:
        """Return the whole body when it is small, else None. Raises `ValetError`, `ClientGone`."""
        size = 0
        while not self.complete and size <= self._limits.replay_bytes:
            piece = await self._next()
            size += len(piece)
            self._begun.append(piece)
        return b"".join(self._begun) if self.complete else None

    async def streamed(self) -> AsyncIterator[bytes]:
        """Yield the body from its beginning, once."""
        try:
            while self._begun:
                yield self._begun.pop(0)
            while not self.complete:
                yield await self._next()
        except (ValetError, ClientGone) as error:
            self.failure = error
            raise

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self._left -= len(piece)
        if self._left < 0:
            limit = f"{self._limits.stream.request_bytes:,} bytes"
            raise ValetError("request_too_large", limit=limit)
        self.complete = not message.get("more_body", False)
        return self._watch.feed(piece)
