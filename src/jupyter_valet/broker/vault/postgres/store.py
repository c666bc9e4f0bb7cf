"""One vault's rows among those of others, in short durable transactions."""

# ruff: noqa: S608  (each word of these texts is ours; values are bound)
from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from psycopg import Connection, Error

from ....wire.errors import ValetError
from ..errors import VaultDamaged, VaultUnreachable, VaultUnsure
from ..rows import Row, Rows, Value, statements, typed
from ..sealing import TAG_BYTES
from ..store import Header, StateRow
from .commits import Mark, happened
from .database import Database, Statement, commit, run
from .faults import clear_errors

_TEXTS = statements("%s", "vault")

_TAG = f"substr(sealed, length(sealed) - {TAG_BYTES - 1})"
_VERSION = f"SELECT {_TAG} FROM state WHERE vault = %s"
_STATE = "SELECT key_version, generation, sealed, '' FROM state WHERE vault = %s"
_LOCK = _STATE.replace("''", "pg_current_xact_id()::text") + " FOR UPDATE"
_ASK = f"SELECT pg_xact_status(%s::xid8), generation, {_TAG} FROM state WHERE vault = %s"

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED"

_GONE = "it is no longer in the database"

_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.05


class PostgresStore(Rows):
    """One vault of a database. Its version is the tag of its sealed state, which never recurs.

    A change behind our back leaves that tag as it is, so it is no reason to believe the rows: a
    write checks all of them first, under the lock that keeps every other writer out.
    """

    vouches = False

    def __init__(self, database: Database, header: Header) -> None:
        super().__init__(_TEXTS, (header.vault_id,))
        self.header = header
        self._database = database
        self._connection: Connection | None = None
        self._state: Row = ()
        self._writes: list[Statement] = []
        self._mark: Mark | None = None

    def close(self) -> None:
        """The connections are the database's: nothing to let go of."""

    def fold(self) -> None:
        """Nothing: what was deleted stays in free pages, the log and backups until those go.

        It is ciphertext under a key that a rotation dropped.
        """

    def data_version(self) -> int:
        """Return the version of the newest commit."""
        rows = self._database.ask(_VERSION, self._vault)
        if not rows:
            raise VaultDamaged(_GONE)
        return int.from_bytes(rows[0][0])

    @contextlib.contextmanager
    def reading(self) -> Iterator[int]:
        """Run the block on one snapshot."""
        with self._transaction(_READ, _STATE):
            yield _version(self._state[2])

    @contextlib.contextmanager
    def writing(self) -> Iterator[int]:
        """Run the block as the only writer of this vault, then commit what it did."""
        with self._transaction(_WRITE, _LOCK) as connection:
            yield _version(self._state[2])
            if self._mark is not None:
                self._commit(connection, self._mark)

    def own_version(self, before: int) -> int:
        """Return the version of the state that was written last."""
        return before if self._mark is None else self._mark.version

    def state(self) -> StateRow:
        """Return the sealed ledger, which came with the beginning of the transaction."""
        return StateRow(*typed(self._state[:3], (int, int, bytes)))

    def put_state(self, row: StateRow) -> None:
        """Store the sealed ledger, and remember by what its commit can be known."""
        super().put_state(row)
        self._mark = Mark(self._state[3], row.generation, _version(row.sealed))

    def _run(self, statement: str, values: tuple[Value, ...]) -> list[Row]:
        assert self._connection is not None, "outside of a transaction"
        return run(self._connection, statement, values)

    def _write(self, statement: str, values: tuple[Value, ...]) -> None:
        self._writes.append((statement, values))

    @contextlib.contextmanager
    def _transaction(self, how: str, first: str) -> Iterator[Connection]:
        with clear_errors(), self._database.begun(how, first, self._vault) as (connection, rows):
            if not rows:
                raise VaultDamaged(_GONE)
            self._connection, self._state, self._writes, self._mark = connection, rows[0], [], None
            try:
                yield connection
            finally:
                self._connection = None

    def _commit(self, connection: Connection, mark: Mark) -> None:
        try:
            commit(connection, self._writes)
        except Error:
            if not connection.closed:
                raise
            self._find_out(mark)

    def _find_out(self, mark: Mark) -> None:
        """Return when the commit happened although its answer was lost.

        Raises `VaultUnreachable` when it did not, `VaultUnsure` when that could not be learned.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            done = self._known(mark)
            if done:
                return
            if done is False:
                raise VaultUnreachable("the connection was lost, and nothing was stored")
            if time.monotonic() > until:
                raise VaultUnsure
            time.sleep(_PAUSE_SECONDS)

    def _known(self, mark: Mark) -> bool | None:
        try:
            rows = self._database.ask(_ASK, (mark.transaction, *self._vault))
        except ValetError:
            return None
        if not rows:
            return False
        status, generation, tag = rows[0]
        return happened(mark, status, generation, int.from_bytes(tag))


def _version(sealed: bytes) -> int:
    return int.from_bytes(sealed[-TAG_BYTES:])
