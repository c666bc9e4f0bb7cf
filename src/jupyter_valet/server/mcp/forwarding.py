"""Requests to the broker and its answers back, both as they come: nothing is read here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ...wire import heads
from ...wire.clients import HEADER, ROUTE, Arrival
from ...wire.errors import ValetError
from .line import Line, Lost

_REQUEST = frozenset({"accept", "content-type", "last-event-id"})
_RESPONSE = frozenset(
    {
        "content-type",
        "content-length",
        "cache-control",
        "retry-after",
        "www-authenticate",
        "x-accel-buffering",
    }
)
_MCP = "mcp-"

CONNECT_SECONDS = 10.0

IDLE_SECONDS = 4.0
"""How long a connection is kept for the next request: a second less than the broker keeps it."""

_IDLE = 128
"""Connections that are kept."""

_HERE = "127.0.0.1"

Headers = Iterable[tuple[str, str]]


class Forwarding:
    """Keeps connections to the broker's listener. `secret` opens its door."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._idle: list[Line] = []
        self._port = 0
        self._closed = False

    async def line(self, port: int) -> Line:
        """Return a connection to the broker at `port`, to be given back by `give`.

        Raises `ValetError` ("broker_unreachable").
        """
        loop = asyncio.get_running_loop()
        if port != self._port:
            self._drop()
            self._port = port
        while self._idle:
            line = self._idle.pop()
            if loop.time() - line.idle_since < IDLE_SECONDS and line.quiet:
                return line
            line.close()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, line = await loop.create_connection(Line, _HERE, port)
        except OSError:  # a `TimeoutError` is one
            raise ValetError("broker_unreachable") from None
        return line

    def give(self, line: Line) -> None:
        """Take a connection back; one whose answer is not over ends, at the broker, too."""
        if self._closed or not line.reusable or len(self._idle) >= _IDLE:
            line.close()
            return
        line.idle_since = asyncio.get_running_loop().time()
        self._idle.append(line)

    def request(self, method: str, headers: Headers, body: bytes, arrival: Arrival) -> bytes:
        """Return a whole request. Raises `ValetError` ("bad_request") for a header that is none."""
        lines = [
            f"{method} {ROUTE} HTTP/1.1",
            f"Host: {_HERE}:{self._port}",
            f"Authorization: Bearer {self._secret}",
            f"{HEADER}: {arrival.encode()}",
            # Last comes what differs from call to call: the broker knows the rest by heart.
            *[f"{n}: {v}" for n, v in sorted(passed(headers, _REQUEST), key=_is_name)],
        ]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        try:
            head = heads.joined(lines)
        except ValueError:
            raise ValetError("bad_request", what="a header is malformed") from None
        return head.encode("latin-1") + b"\r\n\r\n" + body

    def close(self) -> None:
        """Close the connections; those in use when they are given back."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        for line in self._idle:
            line.close()
        self._idle.clear()


def _is_name(header: tuple[str, str]) -> bool:
    return header[0].lower() == "mcp-name"


def answered(line: Line) -> Headers:
    """Return the headers of an answer that go through."""
    return passed(line.headers, _RESPONSE)


def passed(headers: Headers, names: frozenset[str]) -> Headers:
    """Return the headers that go through, each as often as it was there."""
    for name, value in headers:
        lower = name.lower()
        if lower in names or lower.startswith(_MCP):
            yield name, value


__all__ = ["Forwarding", "Lost", "answered"]
