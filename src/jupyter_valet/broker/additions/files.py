"""The documents themselves, in a private folder, each under its digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


class Files:
    """Documents by their SHA-256; one that is not what its name says does not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, raw: bytes) -> str:
        """Keep a document, whole or not at all, and return its digest. Raises `OSError`."""
        name = digest(raw)
        if self.get(name) is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, new = tempfile.mkstemp(dir=self._folder, suffix=".new")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(raw)
                Path(new).replace(self._folder / name)
            except BaseException:
                Path(new).unlink(missing_ok=True)
                raise
        return name

    def get(self, name: str) -> bytes | None:
        """Return the document with this digest, None when it is not there or was changed."""
        try:
            raw = (self._folder / name).read_bytes()
        except OSError:
            return None
        return raw if digest(raw) == name else None

    def drop(self, name: str) -> None:
        """Delete a document that nobody needs any more."""
        (self._folder / name).unlink(missing_ok=True)


def digest(raw: bytes) -> str:
    """Return the SHA-256 of a document, which is its name."""
    return hashlib.sha256(raw).hexdigest()
