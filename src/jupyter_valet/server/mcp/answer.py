"""The answer to one request, written to Tornado's connection as it comes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cached_property, lru_cache
from http.client import responses
from typing import Any, cast

from jupyter_server.auth.identity import User
from jupyter_server.base.handlers import log as jupyters_log
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine, format_timestamp

from ...wire.errors import ValetError
from .arriving import METHODS, Refused
from .forwarding import answered
from .handler import McpHandler
from .line import Line

PIECE = 64 * 1024
"""Bytes of an answer that are kept before they are sent."""

_USUAL = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""Headers of every answer, unless the broker says otherwise."""


class Answer:
    """Begins once."""

    def __init__(self, request: HTTPServerRequest, as_jupyter: Callable[[], McpHandler]) -> None:
        self.request = request
        self.status = 200
        self.user: User | None = None
        """Whose request it is, where the handler was not needed to find that out."""
        self._as_jupyter = as_jupyter
        self._connection = cast("Any", request.connection)
        self._begun = False

    @cached_property
    def handler(self) -> McpHandler:
        """The request as Jupyter knows requests; most are never looked at that way."""
        return self._as_jupyter()

    @property
    def log(self) -> Any:
        """Jupyter's log; the handler's is the same, where one can be made."""
        return jupyters_log()

    async def copy(self, line: Line) -> None:
        """Answer as the broker does: a stream as it comes, all else in as few pieces as it takes.

        Raises `Lost`; by then an answer may have begun.
        """
        headers = HTTPHeaders(_USUAL)
        for name, value in answered(line):
            headers[name] = value
        if not headers.get("Content-Type", "").startswith("text/event-stream"):
            body = await line.piece()
            while not line.over and len(body) < PIECE:
                body += await line.piece()
        else:  # it may say nothing for long, and its client waits for the head
            body = b""
        sent = self._begin(line.status, headers, body)
        while not line.over:
            await sent
            if piece := await line.piece():
                sent = self._connection.write(piece)
        self._connection.finish()

    def refuse(self, refused: Refused, *, close: bool = False) -> None:
        """Answer that this is no request; `close` what cannot be read further."""
        headers = HTTPHeaders(_USUAL)
        if refused.status == 405:
            headers["Allow"] = ", ".join(METHODS)
        if close:
            headers["Connection"] = "close"
        self._say(refused.status, ValetError("bad_request", what=refused.what), headers)

    def fail(self, error: ValetError) -> None:
        """Answer with an error; an answer that has begun is cut, so nobody takes it for whole."""
        if self._begun:
            self._connection.close()
        else:
            self._say(error.kind.status, error, HTTPHeaders(_USUAL))

    def _say(self, status: int, error: ValetError, headers: HTTPHeaders) -> None:
        body = json.dumps(error.to_json()).encode()
        headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(body))
        self._begin(status, headers, b"" if self.request.method == "HEAD" else body)
        self._connection.finish()

    def _begin(self, status: int, headers: HTTPHeaders, body: bytes) -> Any:
        self._begun = True
        self.status = status
        headers["Date"] = _date(int(time.time()))
        start = ResponseStartLine("HTTP/1.1", status, responses.get(status, "Unknown"))
        return self._connection.write_headers(start, headers, body)


@lru_cache(1)
def _date(second: int) -> str:
    return format_timestamp(second)
