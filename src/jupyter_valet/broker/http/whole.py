"""A request that came in one piece, and its answer, which leaves in one piece if it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

    from .joined_writes import JoinedWrites

WHOLE = "jupyter_valet.whole"
"""Where the ASGI scope holds the request, if it came in one piece."""

_PLAIN = frozenset(
    {b"content-type", b"content-length", b"cache-control", b"x-content-type-options"}
)
"""Headers that say nothing about the connection, nor about how a body is framed."""


class Whole(Protocol):
    """A request that came in one piece, for who would rather not receive it."""

    disconnected: bool
    """Whether its client has gone."""

    def take(self) -> bytes:
        """Return the body, which is not received any more."""
        ...

    def answer(self, body: bytes) -> bool:
        """Answer with JSON at once; False: it cannot leave in one piece, so it is to be sent."""
        ...


def whole(scope: Mapping[str, Any]) -> Whole | None:
    """Return the request behind `scope` if it came in one piece."""
    found: Whole | None = scope.get(WHOLE)
    return found


class WholeCycle(RequestResponseCycle):
    """uvicorn's, but that a head that says how long its body is waits for the body."""

    _begun: ASGISendEvent | None = None
    _head = b""
    _length = -1

    def take(self) -> bytes:
        """Return the body, which is not received any more."""
        body = bytes(self.body)
        self.body = bytearray()
        self.message_event.clear()
        return body

    def answer(self, body: bytes) -> bool:
        """Answer with JSON at once; False: it cannot leave in one piece, so it is to be sent."""
        if self.response_started or self._begun is not None or not self._is_easy:
            return False
        self._head = b"%bcontent-length: %d\r\n\r\n" % (_JSON, len(body))
        self._send_all(body)
        return True

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of the application. Raises `RuntimeError` for what is no answer."""
        told: Any = message
        if self._begun is None and not self.response_started:
            self._head, self._length = _head(told)
            if self._head:
                self._begun = told
                return
        begun, self._begun = self._begun, None
        if begun is not None:
            if self._is_rest(told):
                self._send_all(told.get("body", b""))
                return
            await super().send(begun)
        await super().send(message)

    def _is_rest(self, told: Mapping[str, Any]) -> bool:
        """Tell whether the answer can leave as it is, and its connection stay."""
        return (
            told["type"] == "http.response.body"
            and not told.get("more_body", False)
            and len(told.get("body", b"")) == self._length
            and self._is_easy
        )

    @property
    def _is_easy(self) -> bool:
        """Whether the connection takes an answer now, and stays."""
        hard = self.disconnected or self.flow.write_paused or self.default_headers
        return self.keep_alive and not hard

    def _send_all(self, body: bytes) -> None:
        self.response_started = self.response_complete = True
        cast("JoinedWrites", self.transport).write_now(self._head + body)
        self.message_event.set()
        self.on_response()


_JSON = STATUS_LINE[200] + b"content-type: application/json\r\n"
_ANOTHER = (b"", -1)


def _head(message: Mapping[str, Any]) -> tuple[bytes, int]:
    """Return a head and how long its body is, of a head that says so and nothing unusual."""
    if message["type"] != "http.response.start":
        return _ANOTHER
    headers = message.get("headers", ())
    length = -1
    for name, value in headers:
        if name not in _PLAIN:
            return _ANOTHER
        if name == b"content-length":
            length = int(value)
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    ends = len(headers)
    if length < 0 or lines.count(b"\r") != ends or lines.count(b"\n") != ends or b"\0" in lines:
        return _ANOTHER  # uvicorn says what is wrong with it
    return STATUS_LINE[message["status"]] + lines + b"\r\n", length
