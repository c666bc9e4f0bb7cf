"""The one SQL layer: the same statements for both databases, with their marks and keys filled in.

Where several vaults share the tables, the vault's id stands in front of every key and in every
condition. It is put there in this file and nowhere else, so no statement can forget it.
"""

# ruff: noqa: S608  (each word of these texts is ours; values are bound)
from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .errors import VaultDamaged
from .sealing import TAG_BYTES
from .store import Outline, RecordRow, StateRow

Value = str | int | float | bytes
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Statements:
    """The texts, for one database."""

    state: str
    put_state: str
    outlines: str
    record: str
    put_record: str
    delete_record: str
    redeemed: str
    put_redeemed: str
    delete_redeemed: str


def statements(mark: str, *vault: str) -> Statements:
    """Return the statements with `mark` for a value; `vault` is the column that tells vaults apart.

    Values come in the order of the columns, those of `vault` first.
    """

    def where(*columns: str) -> str:
        keys = [f"{column} = {mark}" for column in (*vault, *columns)]
        return f" WHERE {' AND '.join(keys)}" if keys else ""

    def insert(table: str, *columns: str) -> str:
        names = [*vault, *columns]
        return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"

    rest = ("key_version", "revision", "updated_at", "meta", "sealed")
    replaced = ", ".join(f"{column} = excluded.{column}" for column in rest)
    keys = ", ".join((*vault, "kind", "id"))
    tag = f"substr(sealed, length(sealed) - {TAG_BYTES - 1})"
    return Statements(
        state=f"SELECT key_version, generation, sealed FROM state{where()}",
        put_state=f"UPDATE state SET key_version = {mark}, generation = {mark}, sealed = {mark}"
        + where(),
        outlines=f"SELECT kind, id, revision, {tag} FROM record{where()}",
        record="SELECT kind, id, key_version, revision, updated_at, meta, sealed FROM record"
        + where("kind", "id"),
        put_record=insert("record", "kind", "id", *rest)
        + f" ON CONFLICT ({keys}) DO UPDATE SET {replaced}",
        delete_record=f"DELETE FROM record{where('kind', 'id')}",
        redeemed=f"SELECT digest, expires_at FROM redeemed{where()}",
        put_redeemed=insert("redeemed", "digest", "expires_at"),
        delete_redeemed=f"DELETE FROM redeemed{where('digest')}",
    )


class Rows(abc.ABC):
    """The rows of one vault, inside a transaction that a back end has begun."""

    def __init__(self, texts: Statements, vault: tuple[str, ...] = ()) -> None:
        self._texts = texts
        self._vault = vault

    @abc.abstractmethod
    def _run(self, statement: str, values: tuple[Value, ...]) -> list[Row]:
        """Run a statement in the open transaction and return its rows."""

    def _write(self, statement: str, values: tuple[Value, ...]) -> None:
        """Run a statement that says nothing, now or with the commit: nobody reads in between."""
        self._run(statement, values)

    def state(self) -> StateRow:
        """Return the sealed ledger. Raises `VaultDamaged` when there is none."""
        rows = self._run(self._texts.state, self._vault)
        if not rows:
            raise VaultDamaged("its state is missing")
        return StateRow(*typed(rows[0], (int, int, bytes)))

    def put_state(self, row: StateRow) -> None:
        """Store the sealed ledger."""
        self._write(
            self._texts.put_state, (row.key_version, row.generation, row.sealed, *self._vault)
        )

    def outlines(self) -> list[Outline]:
        """Return what is there, without opening anything."""
        rows = self._run(self._texts.outlines, self._vault)
        return [typed(row, (str, str, int, bytes)) for row in rows]

    def record(self, kind: str, record_id: str) -> RecordRow:
        """Return one record that is known to be there."""
        rows = self._run(self._texts.record, (*self._vault, kind, record_id))
        if not rows:
            raise VaultDamaged("a record of it went missing")
        return RecordRow(*typed(rows[0], (str, str, int, int, float, str, bytes)))

    def put_record(self, row: RecordRow) -> None:
        """Store a record in the place of an earlier one."""
        values = (row.key_version, row.revision, row.updated_at, row.meta, row.sealed)
        self._write(self._texts.put_record, (*self._vault, row.kind, row.id, *values))

    def delete_record(self, kind: str, record_id: str) -> None:
        """Delete a record."""
        self._write(self._texts.delete_record, (*self._vault, kind, record_id))

    def redeemed(self) -> dict[bytes, float]:
        """Return the tokens that were used, and when each would have expired."""
        rows = self._run(self._texts.redeemed, self._vault)
        return dict(typed(row, (bytes, float)) for row in rows)

    def put_redeemed(self, digest: bytes, expires_at: float) -> None:
        """Remember a used token."""
        self._write(self._texts.put_redeemed, (*self._vault, digest, expires_at))

    def delete_redeemed(self, digest: bytes) -> None:
        """Forget a used token that has expired."""
        self._write(self._texts.delete_redeemed, (*self._vault, digest))


def typed(row: Row, types: tuple[type, ...]) -> tuple[Any, ...]:
    """Return a row whose columns have the types that we wrote. SQLite would take any."""
    if tuple(map(type, row)) != types:
        raise VaultDamaged("a row has another form than it was written in")
    return tuple(row)
