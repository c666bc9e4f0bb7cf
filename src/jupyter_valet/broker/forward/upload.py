"""The body of a request that is passed on: kept when it is small, else passed on as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import anyio

from ...wire.errors import ValetError
from .limits import ForwardLimits
from .misdirected import Misdirected

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class ClientGone(Exception):
    """The client went away before it had sent everything."""


class Upload:
    """One body, if there is one: `begin` returns it when it is small, else it is `streamed`."""

    def __init__(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        receive: Receive,
        limits: ForwardLimits,
        watch: Misdirected,
    ) -> None:
        self._receive = receive
        self._limits = limits
        self._watch = watch
        self._left = limits.stream.request_bytes
        self._begun: list[bytes] = []
        # RFC 9112 §6.3: a request without either has no body.
        framing = {b"content-length", b"transfer-encoding"}
        self.complete = framing.isdisjoint(name.lower() for name, _ in headers)
        self.kept = False
        """Whether the whole of it is small enough to be shown, and sent again."""
        self.failure: Exception | None = None
        """Why streaming it ended early; the HTTP client that reads it says so in its own words."""

    async def begin(self) -> bytes | None:
        """Return the whole body when it is small, else None. Raises `ValetError`, `ClientGone`."""
        size = 0
        while not self.complete and size <= self._limits.replay_bytes:
            piece = await self._next()
            size += len(piece)
            self._begun.append(piece)
        # By its size alone: how many pieces it came in is the network's affair.
        self.kept = self.complete and size <= self._limits.replay_bytes
        return b"".join(self._begun) if self.kept else None

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
        try:
            with anyio.fail_after(self._limits.stream.idle_seconds):
                message = await self._receive()
        except TimeoutError:
            raise ValetError("bad_request", what="its body does not come") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self._left -= len(piece)
        if self._left < 0:
            limit = f"{self._limits.stream.request_bytes:,} bytes"
            raise ValetError("request_too_large", limit=limit)
        self.complete = not message.get("more_body", False)
        return self._watch.feed(piece)
