"""The two kinds of place a vault can be in, with the same handles on both."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import pytest

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.vault import Vault, open_vault

in_a_file = pytest.mark.parametrize("world", ["sqlite"], indirect=True)
"""For tests of what only a file has: modes, pages, a name in a folder."""
in_postgres = pytest.mark.parametrize("world", ["postgres"], indirect=True)
"""For tests of what only a database of many vaults has."""

OWNER = "state"
"""As `vault_programs` have it: who owns a vault is what its folder is called."""

Rows = list[tuple[Any, ...]]


class World(Protocol):
    """One vault, closed or open, and what somebody can do who has the database."""

    folder: Path
    rounds: int
    """How often a test that kills a process does so."""

    @property
    def environ(self) -> Mapping[str, str]:
        """What a program of `vault_programs` must have in its environment to open it."""

    def open(self, key_source: str = "file", folder: Path | None = None) -> Vault:
        """Open the vault as another process would."""

    def sql(self, statement: str, *values: object) -> Rows:
        """Run a statement behind the vault's back; `?` stands for a value."""

    def put_back(self, table: str, row: tuple[Any, ...]) -> None:
        """Put an older row in the place of a newer one."""

    def snapshot(self) -> Any:
        """Make a backup of the database, without the key folder."""

    def restore(self, backup: Any) -> None:
        """Put a backup back."""


def running_world(request: pytest.FixtureRequest, place: Path) -> Iterator[World]:
    """Yield the world that a fixture's parameter names."""
    if request.param == "sqlite":
        with FileWorld(place).running() as world:
            yield world
    else:
        with PostgresWorld(place, request.getfixturevalue("postgres")).running() as world:
            yield world


class FileWorld:
    """An SQLite file in a folder."""

    rounds = 12
    environ: Mapping[str, str] = {}

    def __init__(self, place: Path) -> None:
        self.folder = place / "state"
        self._stack = contextlib.ExitStack()

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        with self._stack:
            yield self

    def open(self, key_source: str = "file", folder: Path | None = None) -> Vault:
        vault = open_vault(folder or self.folder, key_source)
        self._stack.callback(vault.close)
        return vault

    def sql(self, statement: str, *values: object) -> Rows:
        with contextlib.closing(sqlite3.connect(self.folder / "vault.db")) as db, db:
            return db.execute(statement, values).fetchall()

    def put_back(self, table: str, row: tuple[Any, ...]) -> None:
        self.sql(f"REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", *row)

    def snapshot(self) -> Path:
        copy = self.folder.with_name("backup")
        shutil.copy(self.folder / "vault.db", copy)
        return copy

    def restore(self, backup: Path) -> None:
        shutil.copy(backup, self.folder / "vault.db")


class PostgresWorld:
    """Rows in a database, which is shared by all tests of a process and empty at the end of each.

    Whoever opens the vault again does so through another pool and another lock session, as another
    process would.
    """

    rounds = 4
    owner = OWNER

    def __init__(self, place: Path, server: Any) -> None:
        self.folder = place / "state"
        self.server = server
        self._stack = contextlib.ExitStack()
        self._next = itertools.count()

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        with self._stack:
            yield self
        self.sql("DELETE FROM vault")

    def open(
        self, key_source: Any = "file", folder: Path | None = None, owner: str | None = None
    ) -> Vault:
        from jupyter_valet.broker.vault.postgres import open_shared_vault

        whose = owner or (folder.name if folder else self.owner)
        vault = open_shared_vault(self.database(), whose, folder or self.folder, key_source)
        self._stack.callback(vault.close)
        return vault

    @property
    def environ(self) -> dict[str, str]:
        return {"JUPYTER_VALET_DATABASE_URL": reveal(self.server.url())}

    def database(self) -> Any:
        """Return connections that nobody else in this test has."""
        return self.server.pool(next(self._next))

    def sql(self, statement: str, *values: object) -> Rows:
        with self.server.connect() as connection:
            cursor = connection.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

    def put_back(self, table: str, row: tuple[Any, ...]) -> None:
        keys = {"record": ("vault", "kind", "id"), "state": ("vault",)}[table]
        same = " AND ".join(f"{key} = ?" for key in keys)
        self.sql(f"DELETE FROM {table} WHERE {same}", *row[: len(keys)])
        self.sql(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)

    def snapshot(self) -> dict[str, Rows]:
        tables = ("vault", "state", "record", "redeemed", "ring")
        return {table: self.sql(f"SELECT * FROM {table}") for table in tables}

    def restore(self, backup: dict[str, Rows]) -> None:
        self.sql("DELETE FROM vault")
        for table, rows in backup.items():
            for row in rows:
                self.sql(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)
