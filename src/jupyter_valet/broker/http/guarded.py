"""HTTP/1.1 for clients that may be hostile before they have shown a capability.

uvicorn leaves the size of a request's head, the time it takes and the number of connections to a
proxy in front of it; the broker's listener has none, and any process of the machine can connect.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..descriptors import connections
from ..peers import PEER, Connection
from .heads import Heads
from .joined_writes import JoinedWrites
from .whole import WHOLE, WholeCycle

OVERHEAD = 64 * 1024
"""Bytes of one request that are not its body: request line, headers, chunk sizes, trailers."""

SECONDS = 10.0
"""How long a client may take over a step of its request: the head, then the body."""

OWN_PACE = "jupyter_valet.own_pace"
"""Where the ASGI scope says that whoever reads the body has time limits of their own."""


class GuardedHttp(HttpToolsProtocol):
    """One connection; it is cut, without an answer, when the client goes over a limit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._overhead = 0
        self._steps = 0
        self._arriving = False
        self._heads = Heads()
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to watch, or refuse one connection too many."""
        joined = cast("asyncio.Transport", JoinedWrites(transport, self.loop))
        super().connection_made(joined)
        if len(self.connections) > connections():
            transport.abort()
            return
        self._peer = Connection(self.client, self.server)
        self._watch = self.loop.call_later(SECONDS, self._look, self._steps)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to watch."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes: the parser keeps an endless header in memory without telling."""
        alone = self._is_idle
        if alone and self._begin_known(data):
            return
        self._overhead += len(data)
        steps = self._steps
        super().data_received(data)
        if self._overhead > OVERHEAD:
            self.transport.abort()
        elif alone and not self._arriving and self._steps == steps + 2:
            self._heads.learn(data, cast("dict[str, Any]", self.scope))

    def on_message_begin(self) -> None:
        """Begin to count anew; the size of the last piece, at most, is not counted."""
        self._steps += 1
        self._overhead = 0
        self._arriving = True
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[PEER] = self._peer

    def on_body(self, body: bytes) -> None:
        """Leave the body to whoever reads it: its limit is theirs, and reading pauses meanwhile."""
        self._overhead -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the client has said all it has to say."""
        self._steps += 1
        self._overhead = 0
        self._arriving = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Send the answer now: whoever waits for it need not wait for the next turn, too."""
        cast("JoinedWrites", self.transport).flush()
        super().on_response_complete()

    @property
    def _is_idle(self) -> bool:
        """Whether nothing is under way: every request was read to its end and is answered."""
        return not self._arriving and (self.cycle is None or self.cycle.response_complete)

    def _begin_known(self, data: bytes) -> bool:
        """Serve a request whose head was parsed before; return whether `data` was one."""
        request = self._heads.read(data)
        if request is None:
            return False
        self._unset_keepalive_if_required()
        self._steps += 2
        self.scope = cast("Any", request.scope)
        self.cycle = WholeCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=self.on_response_complete,
        )
        request.scope[WHOLE] = self.cycle
        self.cycle.body += request.body
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self._start_asgi_task(self.cycle, self.app)
        return True

    def _look(self, before: int) -> None:
        """Cut a client that has not finished what it was at when we looked last."""
        arriving = self.cycle is not None and self.cycle.more_body and OWN_PACE not in self.scope
        waiting = self.cycle is None or self.cycle.response_complete or arriving
        if waiting and self._steps == before:
            self.transport.abort()
            return
        self._watch = self.loop.call_later(SECONDS, self._look, self._steps)
