"""An open vault: the verified contents in memory, the store below, and one writer at a time.

Everything that is handed out was opened under its key and counted in the ledger. Whenever another
connection has committed, the file is verified as a whole again before anything is answered.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

from .change import Change, Contents, Held, state_facts
from .errors import KeyUnavailable, VaultDamaged
from .key_sources import KeySource
from .ledger import Ledger, record_item, redeemed_item
from .ring import KeyRing
from .sealing import TAG_BYTES, Facts, Unsealable
from .store import RecordRow, StateRow, Store
from .witness import Witness

_UNSEEN = -1


class Engine:
    """A store, its key ring and its witness, as one thing that is right or refuses."""

    def __init__(self, store: Store, source: KeySource, ring: KeyRing, witness: Witness) -> None:
        self.store = store
        self.source = source
        self.ring = ring
        self._witness = witness
        self._seen = _UNSEEN
        self._contents = Contents(0, 0, Ledger(b""), {}, {})
        self.turn = threading.RLock()

    def compare_with_witness(self) -> None:
        """Check that the vault is no older than what was last seen of it. Raises `VaultDamaged`.

        The witness is read first, since others may write meanwhile, and again after a refusal,
        since they may have turned the key or just begun.
        """
        for last_try in (False, True):
            try:
                self._compare()
            except VaultDamaged:
                if last_try:
                    raise
                self.contents()
            else:
                return

    def accept_as_newest(self) -> None:
        """Make what the vault holds now the newest there ever was."""
        now = self.contents()
        self.keep_ring(replace(self.ring, floor=now.generation))
        self._witness.replace(now.generation, now.key_version, self.ring)

    def contents(self) -> Contents:
        """Return what the vault holds now."""
        with self.turn:
            while self.store.data_version() != self._seen:
                version = _UNSEEN
                try:
                    with self.store.reading() as version:
                        self._verify(version)
                except KeyUnavailable:
                    # A rotation may have finished since this snapshot was taken.
                    if self.store.data_version() == version:
                        raise
            return self._contents

    @contextlib.contextmanager
    def changing(self, key_version: int = 0) -> Iterator[Change]:
        """Let the block make one change; it is durable and remembered when this returns.

        Nothing happens when the block raises or leaves the change empty.
        """
        with self.turn:
            with self.store.writing() as version:
                if version != self._seen or not (self.store.vouches or self._holds_all()):
                    self._verify(version)
                # From here on memory is behind the file until the change is applied.
                self._seen = _UNSEEN
                change = Change(self.store, self.ring, self._contents, key_version)
                yield change
                if not change.empty:
                    change.finish()
            if not change.empty:
                now = self._contents = change.apply()
                self._witness.note(now.generation, now.key_version, self.ring)
                version = self.store.own_version(version)
            self._seen = version

    def keep_ring(self, ring: KeyRing) -> None:
        """Store another ring at its source, then use it."""
        self.source.store(ring)
        self.ring = ring

    def renew_witness(self) -> None:
        """Write the witness under the current key, durably."""
        now = self.contents()
        self._witness.replace(now.generation, now.key_version, self.ring)

    def close(self) -> None:
        """Let go of the files."""
        with self.turn:
            self._witness.close()
            self.store.close()

    def raise_floor(self) -> None:
        """Tell a key source that lies apart how far the vault has got.

        The caller holds the rotation lock: the ring is read again, and nobody else may write it.
        """
        ring = self.source.load(self.store.header.vault_id) if self.source.apart else None
        if ring is not None and ring.floor < self._contents.generation:
            self.keep_ring(ring.at(self._contents.generation))

    def _compare(self) -> None:
        travels = self.source.travels
        news = not (travels and self._witness.outlived(self.ring))
        vouched = self._witness.generation(self.ring) if news else None
        now = self.contents()
        if vouched is None and now.generation > 0 and not travels:
            raise VaultDamaged("its witness is missing from the key folder")
        if now.generation < max(vouched or 0, self.ring.floor):
            raise VaultDamaged("it is older than when it was last used (it was rolled back)")
        if vouched is None:
            self._witness.note(now.generation, now.key_version, self.ring)

    def _verify(self, version: int) -> None:
        """Read what changed, open it, and check that nothing is missing, foreign or old."""
        state = self.store.state()
        self._fetch_key(state.key_version)
        ledger = Ledger(self.ring.kek(state.key_version).ledger_key)
        records: dict[str, dict[str, Held]] = {}
        for kind, record_id, revision, tag in self.store.outlines():
            ledger.add(record_item(kind, record_id, revision, tag))
            held = self._contents.find(kind, record_id)
            if held is None or held.tag != tag or held.facts.revision != revision:
                held = self._open(self.store.record(kind, record_id))
            records.setdefault(kind, {})[record_id] = held
        redeemed = self.store.redeemed()
        for digest, expires_at in redeemed.items():
            ledger.add(redeemed_item(digest, expires_at))
        self._check_state(state, ledger)
        self._contents = Contents(state.generation, state.key_version, ledger, records, redeemed)
        self._seen = version
        self._drop_old_keys()

    def _holds_all(self) -> bool:
        """Whether the rows are those that were verified, no more and no fewer."""
        rows, now = self.store.outlines(), self._contents
        for kind, record_id, revision, tag in rows:
            held = now.find(kind, record_id)
            if held is None or held.tag != tag or held.facts.revision != revision:
                return False
        count = sum(map(len, now.records.values()))
        return len(rows) == count and self.store.redeemed() == now.redeemed

    def _check_state(self, state: StateRow, ledger: Ledger) -> None:
        header = self.store.header
        facts = state_facts(header, state.key_version, state.generation)
        try:
            total = self.ring.kek(state.key_version).open_bytes(facts, state.sealed)
        except Unsealable:
            raise VaultDamaged("its state was changed, or its key is another vault's") from None
        if total != ledger.total():
            raise VaultDamaged("records are missing or were put back to an older state")
        if state.generation < self._contents.generation:
            raise VaultDamaged("it was rolled back while in use")

    def _open(self, row: RecordRow) -> Held:
        facts = Facts(
            self.store.header.vault_id,
            row.kind,
            row.id,
            row.key_version,
            row.revision,
            row.updated_at,
            row.meta,
        )
        self._fetch_key(row.key_version)
        try:
            payload = self.ring.kek(row.key_version).open(facts, row.sealed)
        except Unsealable:
            raise VaultDamaged(
                f"a record of the kind {row.kind} was changed or does not belong here"
            ) from None
        return Held(facts, row.sealed[-TAG_BYTES:], payload)

    def _fetch_key(self, version: int) -> None:
        """Get the ring again when another process has turned the key.

        What we had stays: the snapshot at hand may be older than the ring.
        """
        if version in self.ring.keys:
            return
        ring = self.source.load(self.store.header.vault_id)
        if ring is None or version not in ring.keys:
            raise KeyUnavailable(f"version {version} of it is not in the key source")
        self.ring = replace(ring, keys={**self.ring.keys, **ring.keys})

    def _drop_old_keys(self) -> None:
        """Forget the keys that no record needs any more, because another process rotated."""
        kinds = self._contents.records.values()
        needed = {held.facts.key_version for records in kinds for held in records.values()}
        oldest = min(needed | {self._contents.key_version})
        if oldest > min(self.ring.keys):
            kept = {version: key for version, key in self.ring.keys.items() if version >= oldest}
            self.ring = replace(self.ring, keys=kept)
