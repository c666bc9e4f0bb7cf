"""Before everything else that the listener does: a capability that is shown must be in its kernel.

It decides nothing about requests without one; those behind it do. It looks at every `Authorization`
header, however it is written, so nobody behind it can read a capability that was not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..wire import capability
from ..wire.errors import ValetError
from .http import of_head
from .kernels import Caller, Kernels
from .peers import PEER, Connection

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Gate:
    """An ASGI application around the broker's own. `on_refused` is told whose capability it was."""

    def __init__(
        self,
        inner: Application,
        kernels: Kernels,
        on_refused: Callable[[Caller], Awaitable[None]],
    ) -> None:
        self._inner = inner
        self._kernels = kernels
        self._on_refused = on_refused

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] == "http":
            for shown in of_head(scope, "gate", lambda: _shown(scope)):
                caller = self._kernels.known(shown)
                if caller is not None and (error := await self._refusal(caller, scope)):
                    await _refuse(send, error)
                    return
        await self._inner(scope, receive, send)

    async def _refusal(self, caller: Caller, scope: Message) -> ValetError | None:
        """Return why this caller's capability is not taken on this connection; None: it is."""
        try:
            if await self._is_in_its_kernel(caller, scope):
                return None
        except ValetError as silence:  # nobody saw whose it is: that is no finding, and no way in
            return silence
        await self._on_refused(caller)
        return ValetError("capability_elsewhere")

    async def _is_in_its_kernel(self, caller: Caller, scope: Message) -> bool:
        binding = self._kernels.binding_of(caller.kernel_id)
        connection = scope.get(PEER) or Connection(scope.get("client"), scope.get("server"))
        # A kernel that ended meanwhile has no capability any more.
        return binding is not None and await connection.is_for(binding)


def _shown(scope: Message) -> tuple[str, ...]:
    """Return the digests of whatever looks like a capability."""
    values = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    tokens = (value.decode("latin-1").partition(" ")[2].strip() for value in values)
    return tuple(map(capability.digest, filter(capability.looks_like_one, tokens)))


async def _refuse(send: Send, error: ValetError) -> None:
    body = json.dumps(error.to_json()).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        # The next attempt costs the client a connection, too.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.kind.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
