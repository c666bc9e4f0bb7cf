"""Sessions of 2025-11-25: each caller has some, and its own give way to its next ones.

The SDK keeps sessions that nobody ends for half an hour, and refuses everybody new when there are
very many. So the count is by caller: who begins one after another crowds out nobody else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mcp.server.streamable_http import MCP_SESSION_ID_HEADER

from ..kernels import Caller

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Who = tuple[str, str]
"""The person and the id of a caller."""

Serve = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_OF_KERNEL = 128
MOST_OF_CLIENT = 2048
"""Sessions of one outside client, which may be many programs."""

_SESSION = MCP_SESSION_ID_HEADER.encode()


class Sessions:
    """Passes requests of 2025-11-25 to `serve`, the SDK's, and knows whose sessions there are."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._of: dict[Who, OrderedDict[bytes, None]] = {}
        """The ids of each caller's, those longest unused first. Some may have ended by themselves:
        to end them again does nothing."""

    def ended(self, kernel_id: str) -> None:
        """Forget a kernel that has ended: nobody uses its sessions any more."""
        self._of = {who: ids for who, ids in self._of.items() if who[1] != kernel_id}

    async def serve(self, caller: Caller, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request; a new session ends the caller's oldest when it has too many."""
        who = (caller.principal, caller.kernel_id)
        used = _id_in(scope["headers"])
        if used is None:
            most = MOST_OF_KERNEL if caller.client is None else MOST_OF_CLIENT
            await self._make_room(who, most, scope)
            await self._serve(scope, receive, self._noting(who, send))
            return
        ids = self._of.get(who, OrderedDict())
        if used in ids:
            ids.move_to_end(used)
        await self._serve(scope, receive, send)
        if scope["method"] == "DELETE":
            self._forget(who, used)

    async def _make_room(self, who: Who, most: int, scope: Message) -> None:
        while len(ids := self._of.get(who, OrderedDict())) >= most:
            oldest = next(iter(ids))
            self._forget(who, oldest)
            await self._end(scope, oldest)

    def _noting(self, who: Who, send: Send) -> Send:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                begun = _id_in(message.get("headers", ()))
                if begun is not None:
                    self._of.setdefault(who, OrderedDict())[begun] = None
            await send(message)

        return noted

    def _forget(self, who: Who, session: bytes) -> None:
        ids = self._of.get(who, OrderedDict())
        ids.pop(session, None)
        if not ids:
            self._of.pop(who, None)

    async def _end(self, scope: Message, session: bytes) -> None:
        """End a session as its own caller would, whose proof is in `scope`."""
        kept = [(name, value) for name, value in scope["headers"] if name.lower() == b"host"]
        headers = [*kept, (_SESSION, session)]
        await self._serve({**scope, "method": "DELETE", "headers": headers}, _nothing, _nobody)


def _id_in(headers: Any) -> bytes | None:
    return next((value for name, value in headers if name.lower() == _SESSION), None)


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nobody(_: Message) -> None:
    pass
