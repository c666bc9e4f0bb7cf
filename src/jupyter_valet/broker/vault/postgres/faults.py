"""What a fault of the database means for a vault, in words that a person may read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from psycopg import Error, InterfaceError, OperationalError
from psycopg_pool import PoolClosed, PoolTimeout

from ....wire.errors import ValetError
from ..errors import VaultDamaged, VaultUnreachable, VaultUnwritable

_WORDS: dict[str, tuple[type[VaultDamaged | VaultUnwritable | VaultUnreachable], str]] = {
    "25006": (VaultUnwritable, "the database is read-only"),
    "42501": (VaultUnwritable, "the database does not let our role do it"),
    "53100": (VaultUnwritable, "the database's disk is full"),
    "53200": (VaultUnwritable, "the database is out of memory"),
    "53300": (VaultUnreachable, "it has too many connections"),
    "54000": (VaultUnwritable, "a name in it is too long for the database"),
    "55P03": (VaultUnwritable, "another process holds it"),
    "57014": (VaultUnwritable, "the database takes too long"),
    "XX001": (VaultDamaged, "the database's files are damaged"),
    "XX002": (VaultDamaged, "the database's files are damaged"),
    "3F000": (VaultDamaged, "its tables are missing"),
    "42P01": (VaultDamaged, "a table of it is missing"),
    "42703": (VaultDamaged, "a column of it is missing"),
}
"""By SQLSTATE (PostgreSQL's appendix A)."""


def in_words(error: Error) -> ValetError:
    """Return the error that a person sees; nothing of the database's own text is in it."""
    if isinstance(error, PoolTimeout | PoolClosed):
        return VaultUnreachable("it does not answer")
    if error.sqlstate in _WORDS:
        kind, words = _WORDS[error.sqlstate]
        return kind(words)
    if isinstance(error, OperationalError | InterfaceError):
        return VaultUnreachable("the connection was lost")
    return VaultUnwritable("the database refuses it")


@contextlib.contextmanager
def clear_errors() -> Iterator[None]:
    """Turn the driver's errors into the vault's."""
    try:
        yield
    except Error as error:
        raise in_words(error) from None
