"""Finding a vault, or making one: in an order that `kill -9` may cut anywhere.

A new vault is written beside its final name, then its ring is stored, then it gets its name, then
its witness. So a vault that has its name has its key; and a key or a witness without a vault means
that the vault was deleted, which is an error and never a reason to begin a new one (R169).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from .change import sealed_state
from .engine import Engine
from .errors import KeyUnavailable, VaultDamaged
from .files import identity, private_folder, sync_folder
from .key_sources import KeySource, choose, named
from .key_sources.choice import AUTO, Prompt
from .key_sources.file import FILE_NAME as KEY_FILE
from .key_sources.passphrase import FILE_NAME as SEALED_KEY_FILE
from .ledger import Ledger
from .locks import Locks
from .ring import KeyRing
from .store import Header, Store, create, read_header
from .witness import Witness

_CREATION_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    """Where the parts of a vault lie. The keys have a folder of their own, to be hidden as one."""

    folder: Path

    @property
    def database(self) -> Path:
        """The vault file."""
        return self.folder / "vault.db"

    @property
    def unfinished(self) -> Path:
        """A vault that is being made."""
        return self.folder / "vault.db.new"

    @property
    def keys(self) -> Path:
        """The folder of key files and the witness."""
        return self.folder / "keys"

    @property
    def witness(self) -> Path:
        """The witness file."""
        return self.keys / "witness"

    @property
    def locks(self) -> Path:
        """The folder of lock files."""
        return self.folder / "locks"

    def traces(self) -> list[str]:
        """Return what is left in the key folder of a vault that was here."""
        names = ("witness", KEY_FILE, SEALED_KEY_FILE)
        return [name for name in names if identity(self.keys / name) is not None]


class Opening:
    """Opens the vault of one place, at once or when the passphrase comes."""

    def __init__(self, folder: Path, wanted: str, prompt: Prompt) -> None:
        self.place = Place(private_folder(folder))
        private_folder(self.place.keys)
        self.locks = Locks(self.place.locks)
        self.source = self._pick(wanted, prompt)

    def engine(self, *, accept_older: bool = False) -> Engine:
        """Open the vault; make it first when there is none.

        `accept_older` leaves the witness unasked: a person said that a backup was put back.

        Raises `VaultLocked`, `PassphraseRefused`, `KeyUnavailable`, `VaultDamaged` or
        `VaultUnwritable`.
        """
        if identity(self.place.database) is None:
            with self.locks.file("\0create").acquire(timeout=_CREATION_SECONDS):
                if identity(self.place.database) is None:
                    self._make()
                # Still under the lock: the witness must be there before the first write.
                return self._open(accept_older)
        return self._open(accept_older)

    def _pick(self, wanted: str, prompt: Prompt) -> KeySource:
        recorded = self._recorded()
        if recorded is None:
            return choose(wanted, self.place.keys, prompt)
        if wanted not in (AUTO, recorded):
            raise KeyUnavailable(f"it is kept in the {recorded} source, not in {wanted}")
        return named(recorded, self.place.keys, prompt)

    def _recorded(self) -> str | None:
        """Return the key source that the vault was made with, or None when there is no vault."""
        if identity(self.place.database) is not None:
            return read_header(self.place.database).key_source
        if identity(self.place.unfinished) is not None and self.place.traces():
            return read_header(self.place.unfinished).key_source
        return None

    def _open(self, accept_older: bool) -> Engine:
        store = Store(self.place.database)
        witness = Witness(self.place.witness, store.header.vault_id)
        try:
            ring = self.source.load(store.header.vault_id)
            if ring is None:
                raise KeyUnavailable(f"it is not in the {self.source.name} source")
            engine = Engine(store, self.source, ring, witness)
            if not accept_older:
                engine.compare_with_witness()
            return engine
        except BaseException:
            witness.close()
            store.close()
            raise

    def _make(self) -> None:
        if not self._stored_ring():
            self._begin()
        self.place.unfinished.replace(self.place.database)
        sync_folder(self.place.folder)

    def _stored_ring(self) -> bool:
        """Whether a vault was being made here, and had got as far as storing its ring."""
        unfinished = identity(self.place.unfinished) is not None
        if not unfinished or identity(self.place.witness) is not None:
            return False
        try:
            header = read_header(self.place.unfinished)
        except VaultDamaged:
            return False
        same = header.key_source == self.source.name
        return same and self.source.load(header.vault_id) is not None

    def _begin(self) -> None:
        traces = self.place.traces()
        if traces:
            raise VaultDamaged(f"its file is missing, although its {traces[0]} is still there")
        ring = KeyRing.new(secrets.token_hex(16))
        state = sealed_state(ring, ring.vault_id, self.source.name, 1, 0, Ledger(b"").total())
        create(self.place.unfinished, Header(ring.vault_id, self.source.name), state)
        try:
            self.source.store(ring)
        except BaseException:
            self.place.unfinished.unlink(missing_ok=True)
            raise
