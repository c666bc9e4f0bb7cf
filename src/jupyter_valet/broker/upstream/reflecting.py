"""A stream of events, released piece by piece once it is known not to hold the credential.

What has been handed on cannot be withheld, so an event waits until it has come whole, and is looked
at together with what came shortly before it (R108: one byte at a time).
"""

from __future__ import annotations

import re

from ..egress.reflection import Reflection

WINDOW = 64_000
"""Bytes before an event that are looked at with it."""

_BOUNDARY = re.compile(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)")


class Reflected(Exception):
    """The credential is in what came."""


class TooLarge(Exception):
    """An event, or the whole, is larger than allowed."""


class Sieve:
    """Takes bytes and gives back whole events. `event` and `total` are limits in bytes."""

    def __init__(self, reflection: Reflection | None, *, event: int, total: int | None) -> None:
        self._reflection = reflection
        self._event = event
        self._total = total
        self._before = b""
        self._waiting = bytearray()
        self._seen = 0

    def feed(self, data: bytes) -> bytes:
        """Return what may be handed on now. Raises `Reflected`, `TooLarge`."""
        self._seen += len(data)
        if self._total is not None and self._seen > self._total:
            raise TooLarge
        # A boundary may have begun in what waits: look again at its last bytes.
        start = max(0, len(self._waiting) - 3)
        self._waiting += data
        ends = [match.end() for match in _BOUNDARY.finditer(self._waiting, start)]
        released = self._release(ends[-1]) if ends else b""
        if len(self._waiting) > self._event:
            raise TooLarge
        return released

    def end(self) -> bytes:
        """Return what is left when nothing more comes. Raises `Reflected`."""
        return self._release(len(self._waiting))

    def _release(self, size: int) -> bytes:
        released = bytes(self._waiting[:size])
        del self._waiting[:size]
        looked_at = self._before + released
        if self._reflection is not None and self._reflection.found_in(looked_at):
            raise Reflected
        self._before = looked_at[-WINDOW:]
        return released
