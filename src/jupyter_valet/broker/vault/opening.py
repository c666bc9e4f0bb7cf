"""Finding a vault, or making one: in an order that `kill -9` may cut anywhere.

A new vault is written without its final name, then its ring is stored, then it gets its name, then
its witness. So a vault that has its name has its key; and a key or a witness without a vault means
that the vault was deleted, which is an error and never a reason to begin a new one (R169).
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from .change import sealed_state
from .engine import Engine
from .errors import KeyUnavailable, VaultDamaged, VaultUnwritable
from .files import private_folder
from .folder import FolderHome, Place
from .key_sources import KeySource, choose, named
from .key_sources.choice import AUTO, Prompt
from .ledger import Ledger
from .locks import Busy
from .ring import KeyRing
from .store import Header, Home
from .witness import Witness

_CREATION_SECONDS = 60.0


class Opening:
    """Opens the vault of one place, at once or when the passphrase comes."""

    def __init__(
        self,
        folder: Path,
        wanted: KeySource | str,
        prompt: Prompt,
        home: Home | None = None,
    ) -> None:
        self.place = Place(private_folder(folder))
        private_folder(self.place.keys)
        self._home = home or FolderHome(self.place)
        self.locks = self._home.locks
        self.source = self._pick(wanted, prompt)

    def engine(self, *, accept_older: bool = False) -> Engine:
        """Open the vault; make it first when there is none.

        `accept_older` leaves the witness unasked: a person said that a backup was put back.

        Raises `VaultLocked`, `PassphraseRefused`, `KeyUnavailable`, `VaultDamaged`,
        `VaultUnwritable` or `VaultUnreachable`.
        """
        if not self._home.exists():
            with self._alone():
                if not self._home.exists():
                    self._make()
                # Still under the lock: the witness must be there before the first write.
                return self._open(accept_older)
        return self._open(accept_older)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from making the vault meanwhile. Raises `VaultUnwritable` after a minute."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.locks.held("\0create", _CREATION_SECONDS))
            except Busy:
                raise VaultUnwritable("another process has been making it for a minute") from None
            yield

    def _pick(self, wanted: KeySource | str, prompt: Prompt) -> KeySource:
        recorded = self._recorded()
        name = wanted if isinstance(wanted, str) else wanted.name
        if recorded is not None and name not in (AUTO, recorded):
            raise KeyUnavailable(f"it is kept in the {recorded} source, not in {name}")
        if not isinstance(wanted, str):
            return wanted
        if recorded is None:
            return choose(wanted, self.place.keys, prompt)
        return named(recorded, self.place.keys, prompt)

    def _recorded(self) -> str | None:
        """Return the key source that the vault was made with, or None when there is no vault."""
        header = self._home.header()
        if header is None and self.place.traces():
            # Who makes it may be about to give it its name: nobody reads it at that moment.
            with self._alone():
                header = self._home.header() or self._home.unfinished()
        return None if header is None else header.key_source

    def _open(self, accept_older: bool) -> Engine:
        store = self._home.open()
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
        self._home.finish()

    def _stored_ring(self) -> bool:
        """Whether a vault was being made here, and had got as far as storing its ring."""
        if "witness" in self.place.traces():
            return False
        try:
            header = self._home.unfinished()
        except VaultDamaged:
            return False
        if header is None or header.key_source != self.source.name:
            return False
        return self.source.load(header.vault_id) is not None

    def _begin(self) -> None:
        traces = self.place.traces()
        if traces:
            what, trace = self._home.what, traces[0]
            raise VaultDamaged(f"{what} is missing, although its {trace} is still there")
        ring = KeyRing.new(secrets.token_hex(16))
        header = Header(ring.vault_id, self.source.name, self._home.owner)
        state = sealed_state(ring, header, 1, 0, Ledger(b"").total())
        self._home.begin(header, state)
        try:
            self.source.store(ring)
        except BaseException:
            self._home.abandon()
            raise
