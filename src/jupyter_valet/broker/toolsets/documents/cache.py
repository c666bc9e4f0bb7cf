"""Compiled documents in files: starting again reads one instead of compiling.

A file is named by a digest of all that it was made from, and holds a digest of itself; one that is
damaged, or of another version, is the same as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ...._version import __version__
from .compile import compile_document
from .compiled import FORMAT, Compiled, unpacked

_MAGIC = f"jupyter-valet toolset {FORMAT}\n".encode()
_DIGEST = 32
_LENGTH = 8
_MOST = 64
"""Files that are kept; the longest unused go."""


class Cache:
    """A private folder of compiled documents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def key(
        raw: bytes | Mapping[str, Any],
        *,
        name: str,
        url: str = "",
        provider: str = "",
        overrides: Mapping[str, Any] | None = None,
    ) -> str:
        """Return what a compiled document is kept under: it changes with each of these."""
        content = raw if isinstance(raw, bytes) else msgspec.json.encode(raw, order="sorted")
        rest = [FORMAT, __version__, name, url, provider, overrides or {}]
        digest = hashlib.sha256(content).digest() + msgspec.json.encode(rest, order="sorted")
        return hashlib.sha256(digest).hexdigest()

    def get(self, key: str) -> Compiled | None:
        """Return what is kept under `key`; None when there is nothing good."""
        try:
            packed = self._file(key).read_bytes()
            index, details = _opened(packed)
            compiled = unpacked(index, details)
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
            return None
        with contextlib.suppress(OSError):
            os.utime(self._file(key))
        return compiled

    def put(self, key: str, compiled: Compiled) -> None:
        """Keep `compiled`, whole or not at all. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_closed(compiled))
            Path(name).replace(self._file(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._forget_oldest()

    def compiled(self, raw: bytes | Mapping[str, Any], **how: Any) -> Compiled:
        """Return what is kept for a document, or compile and keep it; see `compile_document`.

        A folder that cannot be written costs time and nothing else.
        """
        key = self.key(raw, **how)
        held = self.get(key)
        if held is None:
            held = compile_document(raw, **how)
            with contextlib.suppress(OSError):
                self.put(key, held)
        return held

    def _file(self, key: str) -> Path:
        if len(key) != 2 * _DIGEST or not key.isalnum():
            raise ValueError("not a key")
        return self._folder / f"{key}.toolset"

    def _forget_oldest(self) -> None:
        with contextlib.suppress(OSError):
            files = sorted(self._folder.glob("*.toolset"), key=lambda f: f.stat().st_mtime)
            for file in files[:-_MOST]:
                file.unlink(missing_ok=True)


def _closed(compiled: Compiled) -> bytes:
    body = len(compiled.index).to_bytes(_LENGTH, "big") + compiled.index + compiled.details
    return _MAGIC + hashlib.sha256(body).digest() + body


def _opened(packed: bytes) -> tuple[bytes, bytes]:
    start = len(_MAGIC) + _DIGEST
    body = memoryview(packed)[start:]
    if (
        not packed.startswith(_MAGIC)
        or hashlib.sha256(body).digest() != packed[start - _DIGEST : start]
    ):
        raise ValueError("damaged, or of another version")
    length = int.from_bytes(body[:_LENGTH], "big")
    return bytes(body[_LENGTH : _LENGTH + length]), bytes(body[_LENGTH + length :])
