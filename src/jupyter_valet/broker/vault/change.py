"""One write: what it does to the file and, once that is durable, to what we hold in memory."""

from __future__ import annotations

from dataclasses import dataclass

from ..secret import Secret
from .ledger import Ledger, record_item, redeemed_item
from .ring import KeyRing
from .sealing import TAG_BYTES, Facts
from .store import Header, RecordRow, StateRow, Store

STATE_KIND = "valet.state"


@dataclass(frozen=True, slots=True)
class Held:
    """A record in memory, opened and checked."""

    facts: Facts
    tag: bytes
    payload: Secret

    def item(self) -> bytes:
        """Return what the ledger counts for it."""
        return record_item(self.facts.kind, self.facts.id, self.facts.revision, self.tag)


@dataclass(slots=True)
class Contents:
    """The vault as last verified: the newest generation, and everything in it."""

    generation: int
    key_version: int
    ledger: Ledger
    records: dict[str, dict[str, Held]]
    redeemed: dict[bytes, float]

    def find(self, kind: str, record_id: str) -> Held | None:
        """Return a record, or None."""
        return self.records.get(kind, {}).get(record_id)


class Change:
    """Writes rows inside an open transaction and remembers what to do once it is committed."""

    def __init__(
        self, store: Store, ring: KeyRing, contents: Contents, key_version: int = 0
    ) -> None:
        self._store = store
        self._ring = ring
        self.contents = contents
        self._ledger = contents.ledger.copy()
        self._put: list[Held] = []
        self._gone: list[tuple[str, str]] = []
        self._redeemed: dict[bytes, float | None] = {}
        self.generation = contents.generation + 1
        self.key_version = key_version or contents.key_version

    @property
    def vault_id(self) -> str:
        """The vault that is written to."""
        return self._store.header.vault_id

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self._put or self._gone or self._redeemed or self.turns_key)

    @property
    def turns_key(self) -> bool:
        """Whether another key version becomes the current one."""
        return self.key_version != self.contents.key_version

    def put(self, facts: Facts, payload: Secret) -> Held:
        """Seal and store a record in the place of an earlier one."""
        sealed = self._ring.kek(facts.key_version).seal(facts, payload)
        held = Held(facts, sealed[-TAG_BYTES:], payload)
        self._uncount(self.contents.find(facts.kind, facts.id))
        self._ledger.add(held.item())
        self._store.put_record(
            RecordRow(
                facts.kind,
                facts.id,
                facts.key_version,
                facts.revision,
                facts.updated_at,
                facts.meta,
                sealed,
            )
        )
        self._put.append(held)
        return held

    def delete(self, held: Held) -> None:
        """Delete a record."""
        self._uncount(held)
        self._store.delete_record(held.facts.kind, held.facts.id)
        self._gone.append((held.facts.kind, held.facts.id))

    def redeem(self, digest: bytes, expires_at: float) -> None:
        """Remember a used token."""
        self._ledger.add(redeemed_item(digest, expires_at))
        self._store.put_redeemed(digest, expires_at)
        self._redeemed[digest] = expires_at

    def sweep(self, before: float) -> None:
        """Forget used tokens that expired before that time."""
        for digest, expires_at in self.contents.redeemed.items():
            if expires_at < before:
                self._ledger.remove(redeemed_item(digest, expires_at))
                self._store.delete_redeemed(digest)
                self._redeemed[digest] = None

    def finish(self) -> None:
        """Seal the ledger: the last step before the commit."""
        if self.turns_key:
            self._recount()
        total = self._ledger.total()
        self._store.put_state(
            sealed_state(self._ring, self._store.header, self.key_version, self.generation, total)
        )

    def apply(self) -> Contents:
        """Return the contents after the commit."""
        contents = self.contents
        for held in self._put:
            contents.records.setdefault(held.facts.kind, {})[held.facts.id] = held
        for kind, record_id in self._gone:
            contents.records[kind].pop(record_id, None)
        for digest, expires_at in self._redeemed.items():
            if expires_at is None:
                contents.redeemed.pop(digest, None)
            else:
                contents.redeemed[digest] = expires_at
        return Contents(
            self.generation, self.key_version, self._ledger, contents.records, contents.redeemed
        )

    def _uncount(self, held: Held | None) -> None:
        if held is not None:
            self._ledger.remove(held.item())

    def _recount(self) -> None:
        self._ledger = Ledger(self._ring.kek(self.key_version).ledger_key)
        for records in self.contents.records.values():
            for held in records.values():
                self._ledger.add(held.item())
        for digest, expires_at in self.contents.redeemed.items():
            self._ledger.add(redeemed_item(digest, expires_at))


def sealed_state(
    ring: KeyRing, header: Header, key_version: int, generation: int, total: bytes
) -> StateRow:
    """Return the state row: the ledger's sum, sealed with the generation and the header."""
    facts = state_facts(header, key_version, generation)
    return StateRow(key_version, generation, ring.kek(key_version).seal_bytes(facts, total))


def state_facts(header: Header, key_version: int, generation: int) -> Facts:
    """Return what is authenticated with the ledger: also whose vault it is, and its key source."""
    return Facts(
        header.vault_id, STATE_KIND, header.owner, key_version, generation, 0.0, header.key_source
    )
