"""Is the client still there? Asked before anything is done that it could not undo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio

PRESENCE = "jupyter_valet.presence"
"""Where the ASGI scope holds the request's `Presence`."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Gone(Exception):
    """Nobody waits for the answer any more, so the call is not made."""


class Presence:
    """Notes the disconnect of one HTTP request, as it passes by or in `watching`.

    Of the ways in which the SDK answers, only the one that may become a stream cancels the handler
    on a disconnect (PS-06); for the others it is noticed here alone.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False

    async def receive(self) -> Message:
        """Pass a message of the ASGI server on."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    def check(self) -> None:
        """Raise `Gone` when the client has disconnected."""
        if self._gone:
            raise Gone

    async def watching(self, answer: Awaitable[None]) -> None:
        """Await `answer`, which does not receive, and cancel it when the client goes (PS-06)."""
        with anyio.CancelScope() as scope:
            watch = asyncio.create_task(self._cancel_when_gone(scope))
            try:
                await answer
            finally:
                watch.cancel()

    async def _cancel_when_gone(self, scope: anyio.CancelScope) -> None:
        while not self._gone:
            await self.receive()
        scope.cancel()
