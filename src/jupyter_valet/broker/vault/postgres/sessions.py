"""The one session that holds this process's locks: PostgreSQL frees them when it ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from psycopg import Connection, Error

from .faults import clear_errors

_TAKE = "SELECT pg_try_advisory_lock(%s)"
_FREE = "SELECT pg_advisory_unlock(%s)"


class LockSession:
    """Advisory locks by number, each held by one task of this process at most.

    A session may take a lock twice, so who has what is also kept here. When the session is lost its
    locks are free for others; a new one takes back at once those that nobody took.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._held: set[int] = set()
        self._guard = threading.Lock()

    def take(self, number: int) -> bool:
        """Take a lock when it is free. Raises `VaultUnreachable`."""
        with self._guard, clear_errors():
            if number in self._held or not self._ask(_TAKE, number):
                return False
            self._held.add(number)
            return True

    def release(self, number: int) -> None:
        """Let a lock go; one that was lost with its session is nobody's any more, or another's."""
        with self._guard:
            self._held.discard(number)
            if self._connection is not None:
                try:
                    self._connection.execute(_FREE, (number,))
                except Error:
                    self._drop()

    def close(self) -> None:
        """End the session, and with it what it holds."""
        with self._guard:
            self._drop()

    def _ask(self, statement: str, number: int) -> bool:
        connection = self._connection
        if connection is not None:
            try:
                return _said_yes(connection, statement, number)
            except Error:
                if not connection.closed:
                    raise
        return _said_yes(self._reconnected(), statement, number)

    def _reconnected(self) -> Connection:
        self._drop()
        self._connection = connection = self._connect()
        for number in self._held:
            _said_yes(connection, _TAKE, number)
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Error):
                connection.close()


def _said_yes(connection: Connection, statement: str, number: int) -> bool:
    return connection.execute(statement, (number,)).fetchone() == (True,)
