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
        digest = hashlib.sha256(raw).hexdigest()
        if self.get(digest) is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(raw)
                Path(name).replace(self._folder / digest)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return digest

    def get(self, digest: str) -> bytes | None:
        """Return the document with this digest, None when it is not there or was changed."""
        try:
            raw = (self._folder / digest).read_bytes()
        except OSError:
            return None
        return raw if hashlib.sha256(raw).hexdigest() == digest else None

    def drop(self, digest: str) -> None:
        """Delete a document that nobody needs any more."""
        (self._folder / digest).unlink(missing_ok=True)
