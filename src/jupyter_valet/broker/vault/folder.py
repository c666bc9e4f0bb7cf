"""The folder of a vault on this machine: its keys, its witness, and for SQLite the vault itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .files import identity, sync_folder
from .key_sources.file import FILE_NAME as KEY_FILE
from .key_sources.passphrase import FILE_NAME as SEALED_KEY_FILE
from .locks import FileLocks
from .sqlite import SqliteStore, create, read_header
from .store import Header, StateRow


@dataclass(frozen=True)
class Place:
    """Where the parts of a vault lie. The keys have a folder of their own, to be hidden as one."""

    folder: Path

    @property
    def database(self) -> Path:
        """The vault file."""
        return self.folder / "vault.db"

    @property
    def unfinished(self) -> Path:
        """A vault that is being made."""
        return self.folder / "vault.db.new"

    @property
    def keys(self) -> Path:
        """The folder of key files and the witness."""
        return self.folder / "keys"

    @property
    def witness(self) -> Path:
        """The witness file."""
        return self.keys / "witness"

    @property
    def locks(self) -> Path:
        """The folder of lock files."""
        return self.folder / "locks"

    def traces(self) -> list[str]:
        """Return what is left in the key folder of a vault that was here."""
        names = ("witness", KEY_FILE, SEALED_KEY_FILE)
        return [name for name in names if identity(self.keys / name) is not None]


class FolderHome:
    """An SQLite file beside its keys."""

    owner = ""
    what = "its file"

    def __init__(self, place: Place) -> None:
        self._place = place
        self.locks = FileLocks(place.locks)

    def exists(self) -> bool:
        """Whether there is a vault file."""
        return identity(self._place.database) is not None

    def header(self) -> Header | None:
        """Return who the vault file is, or None when there is none."""
        return self._read(self._place.database)

    def unfinished(self) -> Header | None:
        """Return the vault that was begun and has no name yet."""
        return self._read(self._place.unfinished)

    def begin(self, header: Header, state: StateRow) -> None:
        """Write a new vault beside its final name."""
        create(self._place.unfinished, header, state)

    def abandon(self) -> None:
        """Remove the unfinished file."""
        self._place.unfinished.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give it its name, durably."""
        self._place.unfinished.replace(self._place.database)
        sync_folder(self._place.folder)

    def open(self) -> SqliteStore:
        """Open the vault file."""
        return SqliteStore(self._place.database)

    def _read(self, path: Path) -> Header | None:
        return None if identity(path) is None else read_header(path)
