"""Connections to one database: a pool for short transactions, and one that holds the locks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import Connection, Cursor, Error
from psycopg_pool import ConnectionPool, PoolTimeout

from ....wire.errors import ValetError
from ...secret import Secret
from ..errors import VaultUnsure, VaultUnwritable
from ..rows import Row, Value
from .address import parameters
from .faults import clear_errors
from .schema import SCHEMA, prepare
from .sessions import LockSession

_SETTINGS = f"""
SET search_path = {SCHEMA};
SET lock_timeout = '10s';
SET statement_timeout = '30s';
SET idle_in_transaction_session_timeout = '60s';
SET idle_session_timeout = 0;
SET tcp_keepalives_idle = 5;
SET tcp_keepalives_interval = 2;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 10000;
SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') <> 'remote_apply';
"""
"""Only the system's own names come before ours, and a commit is durable when it is answered,
whatever the database's default. A broker that was stopped in the middle keeps others out for a
minute at most, one whose machine fell silent for some ten seconds."""
_OLDEST = 140000
"""PostgreSQL 14: the first with all of these settings."""

_WAIT_SECONDS = 3.0
_SILENCE_SECONDS = 1.0
"""Who waited in vain says so for all who come this soon after, since they may be an event loop."""
_TRIES = 3

Statement = tuple[str, Sequence[Value]]
Begun = tuple[Connection, list[Row]]


class Database:
    """One database, in which many vaults may lie. To be closed by whoever opened it."""

    def __init__(self, url: Secret, *, most: int = 8) -> None:
        """Connect, and make the tables when there are none; `most` connections at a time.

        Raises `ValetError` ("database_refused") for a URL that is no good, `VaultUnreachable`,
        `VaultDamaged` when the tables are not ours.
        """
        how = parameters(url)
        with clear_errors(), contextlib.closing(_connect(how)) as connection:
            _check(connection)
        self.locks = LockSession(lambda: _connect(how))
        self._silent_until = self._lent_at = 0.0
        self._pool = ConnectionPool(
            kwargs={**how, "autocommit": True},
            min_size=1,
            max_size=max(most, 2),  # while a vault is verified, its ring may be asked for
            timeout=_WAIT_SECONDS,
            # Its pauses double until then; who asks after that makes it try again at once.
            reconnect_timeout=_WAIT_SECONDS,
            configure=_configure,
            open=True,
        )

    def close(self) -> None:
        """Close all connections; locks that are still held are released."""
        self.locks.close()
        self._pool.close()

    def ask(self, statement: str, values: Sequence[Value]) -> list[Row]:
        """Run one statement that only reads, by itself, and return its rows."""
        with clear_errors(), self.begun("", statement, values) as (_, rows):
            return rows

    def change(self, first: Statement, *others: Statement) -> list[Row]:
        """Run all of them in one transaction, and return what the first one said.

        Raises `VaultUnsure` when the answer to the commit was lost: it may have happened.
        """
        with clear_errors(), self.begun("BEGIN", *first) as (connection, rows):
            try:
                commit(connection, others)
            except Error:
                if connection.closed:
                    raise VaultUnsure from None
                raise
            return rows

    @contextlib.contextmanager
    def begun(self, how: str, first: str, values: Sequence[Value]) -> Iterator[Begun]:
        """Lend a connection on which a transaction has begun, and what its first statement said.

        A connection that had died since it was last used is replaced, twice at most: nothing had
        happened on it. Whatever is not committed when the block ends is rolled back.
        """
        connection, rows = self._begin(how, first, values)
        try:
            yield connection, rows
        finally:
            self._give_back(connection)

    def _begin(self, how: str, first: str, values: Sequence[Value]) -> Begun:
        for left in reversed(range(_TRIES)):
            connection = self._lend()
            try:
                if not how:
                    return connection, run(connection, first, values)
                with connection.pipeline():
                    connection.execute(how.encode())
                    cursor = connection.execute(first.encode(), values)
                return connection, _rows(cursor)
            except BaseException as error:
                died = connection.closed
                self._give_back(connection)
                if not (left and died and isinstance(error, Error)):
                    raise
                self._pool.check()
        raise AssertionError("the last try returns or raises")

    def _lend(self) -> Connection:
        began = time.monotonic()
        if began < self._silent_until:
            raise PoolTimeout("it did not answer a moment ago")
        try:
            connection = self._pool.getconn()
        except PoolTimeout:
            if self._lent_at < began:  # nobody was answered, so it is not that all were in use
                self._silent_until = time.monotonic() + _SILENCE_SECONDS
            raise
        self._lent_at = time.monotonic()
        return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            with contextlib.suppress(Error):
                connection.execute("ROLLBACK")
        self._pool.putconn(connection)


def run(connection: Connection, statement: str, values: Sequence[Value]) -> list[Row]:
    """Run a statement and return its rows, if it has any."""
    return _rows(connection.execute(statement.encode(), values))


def _rows(cursor: Cursor) -> list[Row]:
    return list(cursor.fetchall()) if cursor.description else []


def commit(connection: Connection, statements: Sequence[Statement]) -> None:
    """Run the statements and commit, in one exchange; of those after one that fails, none is run.

    Raises `VaultUnwritable` when the commit turned out to be a roll-back.
    """
    with connection.pipeline():
        for statement, values in statements:
            connection.execute(statement.encode(), values)
        last = connection.execute("COMMIT")
    if last.statusmessage != "COMMIT":
        raise VaultUnwritable("the database took it back")


def _check(connection: Connection) -> None:
    if connection.execute("SHOW fsync").fetchone() == ("off",):
        raise VaultUnwritable("the database does not wait for its disk (fsync is off)")
    prepare(connection)


def _configure(connection: Connection) -> None:
    if connection.info.server_version < _OLDEST:
        raise ValetError("database_refused", what="it must be PostgreSQL 14 or newer")
    connection.execute(_SETTINGS.encode())


def _connect(how: dict[str, Any]) -> Connection:
    connection = psycopg.connect(**how, autocommit=True)
    _configure(connection)
    return connection
