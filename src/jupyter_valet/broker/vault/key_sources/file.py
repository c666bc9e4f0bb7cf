"""A key file with mode 0600 in a folder of its own: worth what the wall around kernels is worth."""

from __future__ import annotations

from pathlib import Path

from ..errors import VaultDamaged
from ..files import identity, read_private, replace_private
from ..ring import KeyRing

FILE_NAME = "key-ring"


class FileSource:
    """The ring in clear; the checks of `files` are made each time it is read."""

    name = "file"
    words = (
        "a key file that only you may read; it protects copies and backups of the vault, "
        "not against programs that run as you"
    )
    apart = False
    travels = False

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def check(self) -> None:
        """Nothing to check: every system has files."""

    def load(self, vault_id: str) -> KeyRing | None:
        """Return the ring, or None when there is no file. Raises `VaultDamaged`."""
        data = read_private(self._path)
        if data is None:
            return None
        try:
            ring = KeyRing.from_bytes(data)
        except ValueError:
            raise VaultDamaged("its key file is damaged") from None
        if ring.vault_id != vault_id:
            raise VaultDamaged("the key file is another vault's")
        return ring

    def store(self, ring: KeyRing) -> None:
        """Replace the file."""
        replace_private(self._path, ring.to_bytes())

    def forget(self, vault_id: str) -> None:
        """Delete the file."""
        if identity(self._path) is not None:
            self._path.unlink()
