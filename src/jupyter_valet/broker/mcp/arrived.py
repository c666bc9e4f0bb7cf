"""A request's body, read ahead and kept for who reads it again."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Self

from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE

from ..http import Whole

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


@dataclass
class Arrived:
    """The ASGI messages of one request so far; `body` is None unless all of it is there.

    More than the SDK reads of a body is not read here either: it is the SDK that refuses it.
    """

    body: bytes | None
    messages: deque[Message]
    receive: Receive
    whole: Whole | None = None

    @classmethod
    async def of(cls, receive: Receive, whole: Whole | None = None) -> Self:
        """Read until the body ends, is too large, or its client has gone; `whole` is all there."""
        if whole is not None:
            body = whole.take()
            all_of_it = {"type": "http.request", "body": body, "more_body": False}
            kept = body if len(body) <= DEFAULT_MAX_REQUEST_BODY_SIZE else None
            return cls(kept, deque((all_of_it,)), receive, whole)
        messages: deque[Message] = deque()
        size = 0
        while size <= DEFAULT_MAX_REQUEST_BODY_SIZE:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if message["type"] != "http.request":
                break
            if not message.get("more_body", False):
                joined = b"".join(part.get("body", b"") for part in messages)
                fits = size <= DEFAULT_MAX_REQUEST_BODY_SIZE
                return cls(joined if fits else None, messages, receive)
        return cls(None, messages, receive)

    async def replay(self) -> Message:
        """Return the messages once more, then those that follow."""
        return self.messages.popleft() if self.messages else await self.receive()

    def forget(self) -> None:
        """Keep nothing of what has arrived: nobody reads it again."""
        self.messages.clear()
