"""The reading side of the audit, for `jupyter valet audit`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..secret import Secret
from .chain import Check, entry_of


def read_audit(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a log, oldest first, as they are; pieces of lines are left out.

    `time` is in seconds since the epoch. Nothing is checked: see `verify_audit`.
    """
    for line in _lines(path):
        entry = entry_of(line)
        if entry is not None:
            yield entry


def verify_audit(path: Path, key: Secret) -> None:
    """Check every line of a log against the key that it was written with.

    Raises `ValetError` ("audit_damaged") with the first line that was changed, removed, repeated or
    moved. Lines that were cut off at the end while no broker ran leave no trace.
    """
    check = Check(key)
    for line in _lines(path):
        check.read(line)


def _lines(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as log:
        for line in log:
            if line.strip():
                yield line
