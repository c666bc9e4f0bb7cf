"""Heads of requests that were parsed once are not parsed again: no I/O.

The calls of one client differ in the tool's name and the length of the body, and in nothing else of
their heads. So what comes before those two lines is compared, byte by byte, with what llhttp has
accepted on the same connection. Whatever does not look exactly like that is llhttp's to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

_NAME = b"\r\nMcp-Name: "
_TAIL = re.compile(
    _NAME + rb"([\x21-\x7e]{1,200})\r\nContent-Length: (0|[1-9][0-9]{0,6})\r\n\r\n", re.ASCII
)
"""The two lines, as our own programs write them, and nothing behind them but the body."""

_MOST = 4
"""Heads that are remembered of one connection: a kernel or a client has one or two."""

_LONGEST = 8192
"""Bytes of a head that is remembered."""

_BY_ITSELF = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"mcp-name",
        b"transfer-encoding",
        b"trailer",
        b"upgrade",
    }
)
"""Headers that decide how a request is read: with one of them, llhttp reads it."""

_FACTS = "jupyter_valet.facts_of_head"

Scope = MutableMapping[str, Any]


class Request(NamedTuple):
    """A request that came in one piece."""

    scope: Scope
    body: bytes


class Heads:
    """What is known of one connection's requests."""

    def __init__(self) -> None:
        self._known: dict[bytes, Mapping[str, Any]] = {}

    def read(self, data: bytes) -> Request | None:
        """Return the one request that `data` is, if its head is known; its `state` is its own."""
        tail = _tail(data)
        known = self._known.get(data[: tail.start()]) if tail is not None else None
        if tail is None or known is None:
            return None
        name, length = tail.groups()
        headers = [*known["headers"], (b"mcp-name", name), (b"content-length", length)]
        return Request(
            {**known, "headers": headers, "state": known["state"].copy()}, data[tail.end() :]
        )

    def learn(self, data: bytes, scope: Mapping[str, Any]) -> None:
        """Remember the head of the one request that `data` is, which llhttp read as `scope`."""
        tail = _tail(data)
        if tail is None or tail.start() > _LONGEST or scope["http_version"] != "1.1":
            return
        *headers, name, length = scope["headers"]
        ours = [(b"mcp-name", tail[1]), (b"content-length", tail[2])]
        if [name, length] != ours or any(name in _BY_ITSELF for name, _ in headers):
            return
        if len(self._known) >= _MOST:
            self._known.pop(next(iter(self._known)))
        self._known[data[: tail.start()]] = {**scope, "headers": headers, _FACTS: {}}


def _tail(data: bytes) -> re.Match[bytes] | None:
    """Return the two lines, if the body behind them is as long as they say."""
    start = data.find(_NAME)
    tail = _TAIL.match(data, start) if start > 0 and data.startswith(b"POST ") else None
    return tail if tail is not None and len(data) - tail.end() == int(tail[2]) else None


def of_head(scope: Mapping[str, Any], name: str, work_out: Callable[[], T]) -> T:
    """Return what `work_out` does, which depends on nothing but the head without its two lines.

    It is worked out once for requests whose heads are the same otherwise. What can change from one
    request to the next (whose capability it is, whether that is still good) must not be in it.
    """
    facts = scope.get(_FACTS)
    if facts is None:
        return work_out()
    try:
        found: T = facts[name]
    except KeyError:
        found = facts[name] = work_out()
    return found
