"""What a vault asks of the database below it: rows of ciphertext and metadata, and no key.

`SqliteStore` keeps one vault in a file of its own, `PostgresStore` many vaults in one database; the
statements are the same (`rows`). `shared_tests` of the key sources has its like in
`tests/unit/vault`, where every test that needs no file runs on both.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from .locks import Locks


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a vault before its key: the key source and owner are authenticated later."""

    vault_id: str
    key_source: str
    owner: str = ""
    """Whose vault it is, where several lie together; empty for a file, whose owner is the system's
    own."""


@dataclass(frozen=True, slots=True)
class StateRow:
    """The sealed ledger, with the generation and key version it claims."""

    key_version: int
    generation: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record as it lies in the database."""

    kind: str
    id: str
    key_version: int
    revision: int
    updated_at: float
    meta: str
    sealed: bytes


Outline = tuple[str, str, int, bytes]
"""Kind, id, revision and tag of a record: enough to see whether it changed."""


class Store(Protocol):
    """The rows of one vault, open for use.

    Between `reading` or `writing` and their end, one thread uses it (the engine sees to that);
    `data_version` may be asked at any time from any thread.
    """

    header: Header
    vouches: bool
    """Whether every change of the rows, by whomever, changes `data_version`. Where not, a write
    first checks everything again that it is about to vouch for."""

    def data_version(self) -> int:
        """Return a number that changes when somebody else committed something; never negative."""

    def reading(self) -> AbstractContextManager[int]:
        """Run the block on one snapshot, which is at least as new as the version it is given."""

    def writing(self) -> AbstractContextManager[int]:
        """Run the block as the only writer; what it did is durable when this returns.

        The block is given the version that it builds on. Raises `VaultUnwritable` or
        `VaultUnreachable` when nothing of the block happened, `VaultUnsure` when nobody can tell,
        and `VaultDamaged` when these are no longer the rows that were opened.
        """

    def own_version(self, before: int) -> int:
        """Return what `data_version` says after our own commit on top of `before`."""

    def state(self) -> StateRow:
        """Return the sealed ledger. Raises `VaultDamaged` when there is none."""

    def put_state(self, row: StateRow) -> None:
        """Store the sealed ledger: the last statement before the commit."""

    def outlines(self) -> list[Outline]:
        """Return what is there, without opening anything."""

    def record(self, kind: str, record_id: str) -> RecordRow:
        """Return one record that is known to be there."""

    def put_record(self, row: RecordRow) -> None:
        """Store a record in the place of an earlier one."""

    def delete_record(self, kind: str, record_id: str) -> None:
        """Delete a record."""

    def redeemed(self) -> dict[bytes, float]:
        """Return the tokens that were used, and when each would have expired."""

    def put_redeemed(self, digest: bytes, expires_at: float) -> None:
        """Remember a used token."""

    def delete_redeemed(self, digest: bytes) -> None:
        """Forget a used token that has expired."""

    def fold(self) -> None:
        """Overwrite what is not needed any more, as far as the database can."""

    def close(self) -> None:
        """Let go of the rows."""


class Home(Protocol):
    """Where the rows of one vault lie, or will.

    A vault gets its name last: until `finish` it is unfinished, and nobody else's.
    """

    owner: str
    """As in `Header`."""
    what: str
    """What is missing when the vault is: its file, or its row."""

    @property
    def locks(self) -> Locks:
        """The locks of whatever vault lies here."""

    def exists(self) -> bool:
        """Whether a vault lies here."""

    def header(self) -> Header | None:
        """Return who lies here, or None when no vault does. Raises `VaultDamaged`."""

    def unfinished(self) -> Header | None:
        """Return the vault that was begun here and has no name yet. Raises `VaultDamaged`."""

    def begin(self, header: Header, state: StateRow) -> None:
        """Write a new, empty vault, durably, in the place of one that is unfinished."""

    def abandon(self) -> None:
        """Remove the unfinished vault."""

    def finish(self) -> None:
        """Give the unfinished vault its name, durably."""

    def open(self) -> Store:
        """Open the vault that lies here."""
