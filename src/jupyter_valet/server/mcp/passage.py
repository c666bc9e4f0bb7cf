"""One request at Jupyter's port, from its head to the end of its answer.

It takes Tornado's connection where a `RequestHandler` would: reads the body, answers, and knows
when the client has gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import Application

from ...wire.clients import MAX_BODY
from ...wire.errors import ValetError
from .access_log import AccessLog
from .answer import Answer
from .arriving import Refused, announced
from .handler import McpHandler

PassOn = Callable[[HTTPServerRequest, bytes, Answer], Awaitable[None]]
"""Lets somebody answer a request that is whole; raises `Refused`, `ValetError`."""

BODY_SECONDS = 30.0
"""How long a client may take to send its body."""

READ = 2 * MAX_BODY
"""Bytes that are read of a body whose length was not said: more of it ends the connection."""

_TOO_LARGE = Refused(413, "the body is too large")


class Passage(HTTPMessageDelegate):
    """Refuses what the head alone condemns only when the body was read, so the connection stays."""

    def __init__(
        self, application: Application, request: HTTPServerRequest, pass_on: PassOn
    ) -> None:
        self._request = request
        self._access_log = AccessLog(application)
        self._pass_on = pass_on
        self._connection = cast("Any", request.connection)
        as_jupyter = partial(McpHandler, application, request, gone=_weakly(self))
        self._answer = Answer(request, as_jupyter)
        self._body = bytearray()
        self._slow: asyncio.Handle | None = None
        self._work: asyncio.Task[None] | None = None

    def headers_received(self, start_line: Any, headers: Any) -> None:
        """Look at the head, before the body is there."""
        self._connection.set_max_body_size(READ)
        if announced(headers) > MAX_BODY:
            self._answer.refuse(_TOO_LARGE, close=True)
            return
        # Mostly the body came with the head, and no timer is needed. Tornado's own limit would cost
        # a task for each request.
        self._slow = asyncio.get_running_loop().call_soon(self._wait_for_body)

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body; what is too long is refused later, and not kept."""
        if len(self._body) <= MAX_BODY:
            self._body += chunk

    def finish(self) -> None:
        """Pass the request on: it is whole."""
        self._stop_waiting()
        self._work = asyncio.ensure_future(self._serve())
        self._connection.set_close_callback(self.on_connection_close)

    def on_connection_close(self) -> None:
        """Forget a request whose client has gone."""
        self._stop_waiting()
        if self._work is not None:
            self._work.cancel()

    async def _serve(self) -> None:
        with contextlib.suppress(asyncio.CancelledError, StreamClosedError):
            try:
                if len(self._body) > MAX_BODY:
                    raise _TOO_LARGE
                await self._pass_on(self._request, bytes(self._body), self._answer)
            except Refused as refused:
                self._answer.refuse(refused)
            except ValetError as error:
                self._answer.fail(error)
            except Exception:
                self._answer.log.exception("a request to the MCP endpoint failed")
                self._answer.fail(ValetError("internal"))
        self._access_log.note(self._answer)

    def _wait_for_body(self) -> None:
        self._slow = asyncio.get_running_loop().call_later(BODY_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._answer.log.info("a client takes too long to send its request")
        self._connection.close()

    def _stop_waiting(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


def _weakly(passage: Passage) -> Callable[[], None]:
    """Return what tells a passage that its client went, and does not keep its body in memory."""
    found = weakref.ref(passage)

    def gone() -> None:
        if (still := found()) is not None:
            still.on_connection_close()

    return gone
