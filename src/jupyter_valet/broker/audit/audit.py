"""The writing side of the audit: one line per event, written before anybody else hears of it."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...wire.errors import ValetError
from ...wire.events import CONNECTION
from ..secret import Secret
from ..vault.files import open_private
from .chain import CUT, MOVED, OPENED, STARTED, Chain, entry_of
from .facts import Fact, checked

_TAIL = 65536
"""Bytes in which the last line is looked for; a line has some 3,000 at most."""


class Audit:
    """Appends events to the log at `path` and hands them to `on_event`.

    A line is one `write`, so two brokers may share a file. Lines survive `kill -9` at once, and a
    power cut after some seconds: the disk is not waited for on every call of a tool.
    """

    def __init__(
        self, path: Path, key: Secret, on_event: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._path = path
        self._name = str(path)
        self._key = key
        self._on_event = on_event
        self._turn = threading.Lock()
        self._fd = -1
        self._whole_until = -1  # the size of the file after a line of ours, unless another wrote
        self.sound = True
        """Whether what was to be written last is in the file."""
        with self._turn:
            self._begin(STARTED)

    def record(
        self,
        action: str,
        *,
        principal: str,
        provider: str = "",
        connection: str = "",
        account: str = "",
        tool: str = "",
        kernel: str = "",
        notebook: str = "",
        outcome: str = "ok",
        **facts: Fact,
    ) -> None:
        """Record that `action` happened; texts are cut at 200 characters and made printable.

        Raises `ValetError` ("audit_unwritable") when it cannot be recorded: what cannot be recorded
        must not be done. Raises `ValueError` or `TypeError` for what is not on the list of facts.
        """
        fields = {
            "provider": provider,
            "connection": connection,
            "account": account,
            "tool": tool,
            "kernel": kernel,
            "notebook": notebook,
        }
        event = checked(action, principal, outcome, fields, facts)
        with self._turn:
            self.sound = False
            try:
                size = self._size()
                if isinstance(size, str):
                    size = self._begin(size)
                self._write(event, size)
            except OSError as error:
                raise _unwritable(error.strerror) from None
            self.sound = True
        self._on_event(CONNECTION, event)

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._close()

    def _begin(self, reason: str) -> int:
        """Open the file and start a chain in it; return its size then."""
        self._close()
        self._fd = open_private(self._path, os.O_RDWR | os.O_APPEND)
        ours = os.fstat(self._fd)
        self._ours = (ours.st_dev, ours.st_ino)
        self._end = ours.st_size
        self._whole_until = -1
        self._chain = Chain(self._key, secrets.token_hex(6))
        opening = {"action": OPENED, "reason": reason, "after": self._last_digest()}
        self._write(opening, ours.st_size)
        return self._whole_until

    def _size(self) -> int | str:
        """Return the size of the file, or why the chain cannot go on in it."""
        if self._fd < 0:
            return STARTED
        try:
            named = os.lstat(self._name)
        except FileNotFoundError:
            return MOVED
        # While it is open here, no other file has its number.
        if (named.st_dev, named.st_ino) != self._ours:
            return MOVED
        return CUT if named.st_size < self._end else named.st_size

    def _last_digest(self) -> str:
        """Return the MAC of the last entry in the file, or "" when there is none."""
        entries = (entry_of(line) for line in reversed(self._tail(_TAIL).splitlines()))
        return next((str(entry["mac"]) for entry in entries if entry), "")

    def _tail(self, size: int) -> bytes:
        end = os.lseek(self._fd, 0, os.SEEK_END)
        os.lseek(self._fd, max(0, end - size), os.SEEK_SET)
        return os.read(self._fd, size)

    def _write(self, entry: dict[str, Any], size: int) -> None:
        line, digest = self._chain.line({"time": round(time.time(), 3), **entry})
        # A full disk may have left a piece of a line, ours or another writer's.
        whole = size == self._whole_until or self._tail(1) in (b"", b"\n")
        data = line if whole else b"\n" + line
        written = os.write(self._fd, data)
        self._end += written
        if written != len(data):
            raise _unwritable("the disk is full")
        self._whole_until = size + written
        self._chain.wrote(digest)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _unwritable(why: str | None) -> ValetError:
    return ValetError("audit_unwritable", what=why or "the disk refuses it")
