"""The chain of one writer: each line's MAC covers the line and the MAC before it.

Every writer (one run of one broker) has a chain of its own, numbered from 0. So two brokers append
to one file without a lock, and one that is killed cannot block the other. A chain begins with an
opening line that names the last line it found in the file, which ties the chains together.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...wire.errors import ValetError
from ..secret import Secret
from ..vault.sealing import Mac, canonical

OPENED = "log.opened"
STARTED = "started"
"""Why a chain began: a broker started."""
MOVED = "moved"
"""The file was moved away while it was written, as log rotation does."""
CUT = "cut"
"""Lines were cut off while it was written."""


@dataclass
class Chain:
    """The writing end."""

    key: Secret
    writer: str
    number: int = 0
    last: str = ""

    def __post_init__(self) -> None:
        self._mac = Mac(self.key)

    def line(self, entry: Mapping[str, Any]) -> tuple[bytes, str]:
        """Return the next line and its MAC; the chain advances with `wrote`, not before."""
        text = canonical({**entry, "writer": self.writer, "number": self.number})
        digest = _chained(self._mac, self.last, text)
        return f'{text[:-1]},"mac":"{digest}"}}\n'.encode(), digest

    def wrote(self, digest: str) -> None:
        """Advance, now that the line is in the file."""
        self.number += 1
        self.last = digest


@dataclass
class Check:
    """The reading end: told all lines of a file in order, it raises at the first wrong one."""

    key: Secret
    _last: dict[str, tuple[int, str]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _line: int = 0

    def __post_init__(self) -> None:
        self._mac = Mac(self.key)

    def read(self, line: bytes) -> None:
        """Check one line. Raises `ValetError` ("audit_damaged").

        A line that is no entry is passed over: a full disk leaves such pieces. If it ever was an
        entry, the next line of its writer shows that it is missing.
        """
        self._line += 1
        entry = entry_of(line)
        if entry is not None:
            self._check(entry)

    def _check(self, entry: dict[str, Any]) -> None:
        digest = entry.pop("mac")
        number, last = self._last.get(entry["writer"], (0, ""))
        if entry["number"] != number:
            raise self._damaged("lines before it are missing, repeated or out of order")
        if not hmac.compare_digest(digest, _chained(self._mac, last, canonical(entry))):
            raise self._damaged("it was changed")
        if entry["action"] == OPENED:
            self._check_opening(entry)
        self._last[entry["writer"]] = (number + 1, digest)
        self._seen.add(digest)

    def _check_opening(self, entry: dict[str, Any]) -> None:
        if entry["reason"] == CUT:
            raise self._damaged("before it, lines were cut off while the log was in use")
        # A file that log rotation began may name a line of the file before it.
        if entry["after"] and self._seen and entry["after"] not in self._seen:
            raise self._damaged("lines before it are missing")

    def _damaged(self, what: str) -> ValetError:
        return ValetError("audit_damaged", what=f"line {self._line}: {what}")


def entry_of(line: bytes) -> dict[str, Any] | None:
    """Return the entry that a line holds, or None when it is only a piece of one."""
    try:
        entry = json.loads(line)
        sound = isinstance(entry["mac"], str) and isinstance(entry["writer"], str)
        sound = sound and isinstance(entry["number"], int) and isinstance(entry["action"], str)
        sound = sound and (entry["action"] != OPENED or {"reason", "after"} <= entry.keys())
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return entry if sound else None


def _chained(mac: Mac, last: str, text: str) -> str:
    return mac.of(f"{last}\n{text}".encode())
