"""The indexes of all that can be found, made once and kept: in memory, and large ones in files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..catalogue import Tool
from .entry import Entry
from .index import FORMAT, Index

_LARGE = 100
"""Tools of a toolset from which on its index is worth a file."""

_KEPT = 64
_DIGEST = 32


class Indexes:
    """Knows the index of each toolset. `folder` is a private one; without it nothing is written."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._parts: dict[int, tuple[Sequence[Tool], dict[str, Index]]] = {}
        self._made: dict[bytes, Index] = {}

    def ready(self, part: Sequence[Tool]) -> bool:
        """Tell whether `of` is quick for these tools."""
        return id(part) in self._parts

    def of(self, part: Sequence[Tool]) -> dict[str, Index]:
        """Return the indexes of a source's tools by toolset; its list is known by its identity."""
        held = self._parts.get(id(part))
        if held is None:
            if len(self._parts) >= _KEPT:
                self._parts.clear()
            toolsets: dict[str, list[Tool]] = {}
            for tool in part:
                toolsets.setdefault(tool.toolset, []).append(tool)
            made = {name: self._index(tools) for name, tools in toolsets.items()}
            # The tools are kept, too: an id is good only as long as its object lives.
            held = self._parts[id(part)] = (part, made)
        return held[1]

    def _index(self, tools: Sequence[Tool]) -> Index:
        entries = [Entry.of(tool) for tool in tools]
        digest = hashlib.sha256(msgspec.json.encode([FORMAT, entries])).digest()
        if digest not in self._made:
            if len(self._made) >= _KEPT:
                self._made.clear()
            self._made[digest] = self._read(digest) or self._make(entries, digest)
        return self._made[digest]

    def _make(self, entries: Sequence[Entry], digest: bytes) -> Index:
        made = Index.of(entries)
        if self._folder is not None and len(entries) >= _LARGE:
            with contextlib.suppress(OSError):  # a folder that cannot be written costs time
                _write(self._folder, f"{digest.hex()}.index", made.packed())
        return made

    def _read(self, digest: bytes) -> Index | None:
        """Return what is kept; a file that is damaged or of another version is the same as none."""
        if self._folder is None:
            return None
        file = self._folder / f"{digest.hex()}.index"
        try:
            packed = file.read_bytes()
            if hashlib.sha256(packed[_DIGEST:]).digest() != packed[:_DIGEST]:
                return None
            index = Index.unpacked(packed[_DIGEST:])
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        with contextlib.suppress(OSError):
            os.utime(file)
        return index


def _write(folder: Path, name: str, packed: bytes) -> None:
    """Write whole or not at all, and let the longest unused files go. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(packed).digest() + packed)
        Path(temporary).replace(folder / name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    for old in sorted(folder.glob("*.index"), key=lambda f: f.stat().st_mtime)[:-_KEPT]:
        old.unlink(missing_ok=True)
