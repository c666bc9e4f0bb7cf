"""Connections as they were last read: a brokered call must not open the vault each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..oauth import TokenSet
from ..vault import Record, Vault
from .connection import KIND, Connection, from_record


class Held:
    """What the vault holds about connections, good while no other process has written.

    All writes of this process go through `put` and `delete` (`Vault.data_version` does not show a
    process its own).
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._version = -1
        self._records: dict[str, Record] = {}
        self._tokens: dict[str, tuple[int, TokenSet]] = {}
        self._connections: dict[str, tuple[Record, Connection]] = {}

    def all(self, seen: tuple[Vault, int] | None = None) -> list[Record]:
        """Return every connection's record; `seen` is as in `Connections.find`."""
        self._refresh(seen)
        return list(self._records.values())

    def record(self, id: str) -> Record | None:
        """Return the record of a connection."""
        self._refresh()
        return self._records.get(id)

    def last_read(self, id: str) -> Record | None:
        """Return the record as this process knows it, for what needs no newer one."""
        return self._records.get(id)

    def tokens(self, record: Record) -> TokenSet:
        """Return the credential in `record`, opened once."""
        revision, tokens = self._tokens.get(record.id, (-1, None))
        if tokens is None or revision != record.revision:
            tokens = TokenSet.from_secret(record.payload)
            self._tokens[record.id] = (record.revision, tokens)
        return tokens

    def connection(self, record: Record) -> Connection:
        """Return the connection in `record`, made of it once."""
        known = self._connections.get(record.id)
        if known is None or known[0] is not record:
            known = self._connections[record.id] = (record, from_record(record))
        return known[1]

    def put(self, id: str, meta: Mapping[str, Any], tokens: TokenSet, *, expect: int) -> Record:
        """Write a connection, durable when this returns. Raises `Conflict`; then read again."""
        try:
            record = self._vault.put(KIND, id, meta, tokens.to_secret(), expect=expect)
        except Exception:
            self.forget()
            raise
        self._records[id] = record
        self._tokens[id] = (record.revision, replace(tokens, extra=frozenset()))
        return record

    def delete(self, id: str) -> bool:
        """Remove a connection; False when it was gone."""
        self.forget()
        return self._vault.delete(KIND, id)

    def forget(self) -> None:
        """Read everything again when next asked."""
        self._version = -1
        self._tokens.clear()

    def _refresh(self, seen: tuple[Vault, int] | None = None) -> None:
        vault, version = seen or (None, 0)
        if vault is not self._vault:
            version = self._vault.data_version()
        if version == self._version:
            return
        self._records = {record.id: record for record in self._vault.list(KIND)}
        self._tokens = {i: kept for i, kept in self._tokens.items() if i in self._records}
        self._connections.clear()
        self._version = version
