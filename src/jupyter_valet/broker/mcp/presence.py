"""Is the client still there? Asked before anything is done that it could not undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

PRESENCE = "jupyter_valet.presence"
"""Where the ASGI scope holds the request's `Presence`."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Gone(Exception):
    """Nobody waits for the answer any more, so the call is not made."""


class Presence:
    """Notes the disconnect of one HTTP request as it passes by.

    On 2026-07-28 the SDK cancels the handler as well (PS-06); a client of the older revision that
    goes away without saying so is noticed here alone.
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
