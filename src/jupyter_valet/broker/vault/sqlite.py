"""One vault in an SQLite file of its own, in short durable transactions.

WAL with `synchronous=FULL`: a commit is on the disk when it returns, and `kill -9` at any moment
leaves the last commit. `secure_delete` overwrites what was deleted.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import VaultDamaged, VaultUnwritable
from .files import create_private, identity, sync_folder
from .rows import Row, Rows, Value, statements
from .sealing import FORMAT
from .store import Header, StateRow

_APPLICATION_ID = 0x4A564C54  # "JVLT", for file(1)
_POSIX = os.name == "posix"
_BUSY_SECONDS = 10.0
_BUSY_PAUSE = 0.005

_SCHEMA = [
    "CREATE TABLE vault (one INTEGER PRIMARY KEY CHECK (one = 1), format TEXT NOT NULL,"
    " id TEXT NOT NULL, key_source TEXT NOT NULL)",
    "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), key_version INTEGER NOT NULL,"
    " generation INTEGER NOT NULL, sealed BLOB NOT NULL)",
    "CREATE TABLE record (kind TEXT NOT NULL, id TEXT NOT NULL, key_version INTEGER NOT NULL,"
    " revision INTEGER NOT NULL, updated_at REAL NOT NULL, meta TEXT NOT NULL,"
    " sealed BLOB NOT NULL, PRIMARY KEY (kind, id))",
    "CREATE TABLE redeemed (digest BLOB PRIMARY KEY, expires_at REAL NOT NULL)",
]
_PRAGMAS = [
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = ON",
    "PRAGMA synchronous = FULL",
]


_TEXTS = statements("?")


class SqliteStore(Rows):
    """One connection to one vault file."""

    vouches = True

    def __init__(self, path: Path) -> None:
        super().__init__(_TEXTS)
        self._path = path
        self._identity = _checked(path)
        with _clear_errors():
            self._db = _connect(path)
            _into_wal(self._db)
        if identity(path) != self._identity:
            raise VaultDamaged(f"{path.name} was replaced while it was being opened")
        with _clear_errors():
            self.header = _header(self._db)
            self._check_pages()

    def close(self) -> None:
        """Close the connection; the last one folds the WAL into the file."""
        self._db.close()

    def data_version(self) -> int:
        """Return a number that changes when another connection committed something."""
        try:
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise _in_words(error) from None

    @contextlib.contextmanager
    def reading(self) -> Iterator[int]:
        """Run the block on one snapshot of the file."""
        version = self.data_version()
        with _clear_errors():
            self._db.execute("BEGIN")
            try:
                yield version
            finally:
                self._end("ROLLBACK")

    @contextlib.contextmanager
    def writing(self) -> Iterator[int]:
        """Run the block as the only writer; what it did is durable when this returns.

        Raises `VaultUnwritable` when the disk refuses: nothing of the block happened then. Raises
        `VaultDamaged` when the file at our path is no longer the one we have open.
        """
        if identity(self._path) != self._identity:
            raise VaultDamaged(f"{self._path.name} was replaced or removed while in use")
        with _clear_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self.data_version()
                self._db.execute("COMMIT")
            finally:
                self._end("ROLLBACK")

    def own_version(self, before: int) -> int:
        """Return `before`: SQLite counts what other connections commit."""
        return before

    def fold(self) -> None:
        """Fold the WAL into the file and empty it, so that no old ciphertext stays there."""
        with contextlib.suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _run(self, statement: str, values: tuple[Value, ...]) -> list[Row]:
        return self._db.execute(statement, values).fetchall()

    def _check_pages(self) -> None:
        """Refuse a file with damage that reading alone would not meet, such as in an index."""
        if self._db.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
            raise VaultDamaged("its file is damaged")

    def _end(self, how: str) -> None:
        if self._db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute(how)


def read_header(path: Path) -> Header:
    """Return who a vault file is, without opening it for use. Raises `VaultDamaged`."""
    _checked(path)
    with _clear_errors(), contextlib.closing(_connect(path)) as db:
        return _header(db)


def create(path: Path, header: Header, state: StateRow) -> None:
    """Write a new, empty vault file; complete and durable when this returns."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    create_private(path)
    with _clear_errors(), contextlib.closing(_connect(path)) as db:
        db.execute("BEGIN")
        for table in _SCHEMA:
            db.execute(table)
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute(
            "INSERT INTO vault VALUES (1, ?, ?, ?)", (FORMAT, header.vault_id, header.key_source)
        )
        db.execute(
            "INSERT INTO state VALUES (1, ?, ?, ?)",
            (state.key_version, state.generation, state.sealed),
        )
        db.execute("COMMIT")
    sync_folder(path.parent)


def _header(db: sqlite3.Connection) -> Header:
    tables = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    if sorted(sql for (sql,) in tables) != sorted(_SCHEMA):
        raise VaultDamaged("it is not a vault, or not one of this version")
    row = db.execute("SELECT format, id, key_source FROM vault").fetchone()
    if row is None or row[0] != FORMAT:
        raise VaultDamaged("it was written by another version of jupyter-valet")
    return Header(str(row[1]), str(row[2]))


def _connect(path: Path) -> sqlite3.Connection:
    # It must not make a file, whose mode would be the umask's. Where modes say nothing, paths may
    # have servers, of which SQLite takes no URI.
    where = f"{path.absolute().as_uri()}?mode=rw" if _POSIX else str(path)
    db = sqlite3.connect(
        where,
        uri=_POSIX,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    for pragma in _PRAGMAS:
        db.execute(pragma)
    return db


def _into_wal(db: sqlite3.Connection) -> None:
    """Switch the file to WAL; of two that do it at once SQLite lets neither wait for the other."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(_BUSY_PAUSE)


def _checked(path: Path) -> tuple[int, int]:
    for suffix in ("-wal", "-shm", "-journal"):
        identity(path.with_name(path.name + suffix))
    found = identity(path)
    if found is None:
        raise VaultDamaged(f"{path.name} is missing")
    return found


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(error) from None


_IN_WORDS: dict[str, type[VaultDamaged] | type[VaultUnwritable]] = {
    "SQLITE_FULL": VaultUnwritable,
    "SQLITE_IOERR": VaultUnwritable,
    "SQLITE_READONLY": VaultUnwritable,
    "SQLITE_BUSY": VaultUnwritable,
    "SQLITE_CANTOPEN": VaultUnwritable,
}
_WORDS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk refuses to read or write it",
    "SQLITE_READONLY": "its file or folder is read-only",
    "SQLITE_BUSY": "another process holds it",
    "SQLITE_CANTOPEN": "its file cannot be opened",
    "SQLITE_NOTADB": "its file is no database any more",
    "SQLITE_CORRUPT": "its file is damaged",
}


def _in_words(error: Any) -> VaultDamaged | VaultUnwritable:
    """Return the error that a person sees for one of SQLite's, extended codes included."""
    name = "_".join(str(getattr(error, "sqlite_errorname", "")).split("_")[:2])
    return _IN_WORDS.get(name, VaultDamaged)(_WORDS.get(name, "its file is damaged"))
