"""The vault as the rest of the broker sees it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from ...wire.errors import ValetError
from ..secret import Secret
from .adoption import adopt
from .change import Change
from .engine import Engine
from .errors import Conflict, VaultLocked, VaultUnwritable
from .key_sources.passphrase import PassphraseSource
from .locks import Busy
from .opening import Opening
from .record import RESERVED, Record, checked_meta, record_of
from .rotation import rotate
from .sealing import Facts, fingerprint, random_secret

_KEY_KIND = RESERVED + "key"
_ROTATION = "\0rotation"
_ROTATION_SECONDS = 60.0
_GRACE_SECONDS = 3600.0
"""How long a used token is remembered after it expired, for clocks that are set back."""


class Vault:
    """Records, sealed on disk and open in memory. Every call is one short transaction.

    It may be used from several threads, and the same files by several processes. Every method
    raises `VaultLocked` until the passphrase is known, `VaultDamaged` when the files are not what
    was written, and `VaultUnwritable` when a write did not happen.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._engine: Engine | None = None
        with contextlib.suppress(VaultLocked):
            self._open()

    @property
    def locked(self) -> bool:
        """Whether the passphrase is still missing."""
        return self._engine is None

    @property
    def needs_new_passphrase(self) -> bool:
        """Whether `unlock` will choose the passphrase rather than check it."""
        source = self._opening.source
        return isinstance(source, PassphraseSource) and not source.exists

    @property
    def key_source(self) -> str:
        """The key source's name: `keyring`, `passphrase` or `file`."""
        return self._opening.source.name

    @property
    def key_source_words(self) -> str:
        """What the key source is, and what it is worth."""
        return self._opening.source.words

    def unlock(self, passphrase: Secret) -> None:
        """Open the vault, or make it, with this passphrase. Takes up to a second or two.

        Raises `PassphraseRefused` when it is wrong, or too short for a new vault.
        """
        source = self._opening.source
        if self._engine is None and isinstance(source, PassphraseSource):
            source.offer(passphrase)
            self._open()

    def get(self, kind: str, id: str) -> Record | None:
        """Return a record, or None when there is none."""
        held = self._opened().contents().find(kind, id)
        return None if held is None else record_of(held)

    def list(self, kind: str) -> list[Record]:
        """Return all records of a kind, ordered by id."""
        held = self._opened().contents().records.get(kind, {})
        return [record_of(held[record_id]) for record_id in sorted(held)]

    def put(
        self,
        kind: str,
        id: str,
        meta: Mapping[str, Any],
        payload: Secret,
        *,
        expect: int | None = None,
    ) -> Record:
        """Store a record; it is durable when this returns.

        `expect` 0 means that it must not exist yet, another number that it must still have this
        revision. Raises `Conflict` otherwise, and `ValetError` ("bad_request") when the metadata is
        no JSON object or the record is larger than 1 MiB.
        """
        text = checked_meta(kind, id, meta, payload)
        with self._opened().changing() as change:
            _check_revision(change, kind, id, expect)
            facts = Facts(
                vault_id=change.vault_id,
                kind=kind,
                id=id,
                key_version=change.key_version,
                revision=change.generation,
                updated_at=time.time(),
                meta=text,
            )
            held = change.put(facts, payload)
        return record_of(held)

    def delete(self, kind: str, id: str, *, expect: int | None = None) -> bool:
        """Delete a record and tell whether it was there. Raises `Conflict` as `put` does."""
        with self._opened().changing() as change:
            _check_revision(change, kind, id, expect)
            held = change.contents.find(kind, id)
            if held is not None:
                change.delete(held)
        return held is not None

    def redeem(self, token_id: str, expires_at: float) -> bool:
        """Return True the first time any process redeems this token, and False ever after.

        A token that has expired is never redeemed. `expires_at` is in seconds since the epoch.
        """
        now = time.time()
        if not math.isfinite(expires_at) or expires_at <= now:
            return False
        digest = fingerprint(token_id)
        with self._opened().changing() as change:
            first = digest not in change.contents.redeemed
            if first:
                change.redeem(digest, float(expires_at))
                change.sweep(now - _GRACE_SECONDS)
        return first

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Return a lock that holds across tasks and processes; waiting does not block the loop."""
        return self._opening.locks.hold(name)

    def data_version(self) -> int:
        """Return a number that changes when another process (or connection) has written."""
        return self._opened().store.data_version()

    def key(self, purpose: str) -> Secret:
        """Return the vault's own random key for a purpose: 32 bytes, made on first use."""
        found = self.get(_KEY_KIND, purpose)
        if found is None:
            try:
                found = self.put(_KEY_KIND, purpose, {}, random_secret(), expect=0)
            except Conflict:
                return self.key(purpose)
        return found.payload

    def rotate(self) -> int:
        """Turn the key and seal every record again, while others go on; return the new version.

        A rotation that was cut short is finished instead. Raises `VaultUnwritable` when another
        process has been rotating for a minute.
        """
        engine = self._opened()
        try:
            with self._opening.locks.held(_ROTATION, _ROTATION_SECONDS):
                return rotate(engine)
        except Busy:
            raise VaultUnwritable("another process is rotating the key") from None

    def adopt(self, other: Vault) -> int:
        """Take over everything that another vault holds; return how many records that were.

        The other one is left as it is. Raises `Conflict` when this one is not empty.
        """
        return adopt(self._opened(), other._opened().contents())

    def close(self) -> None:
        """Close the files. A locked vault may be closed as well."""
        if self._engine is not None:
            self._raise_floor(self._engine)
            self._engine.close()
            self._engine = None

    def _open(self) -> None:
        self._engine = self._opening.engine()
        self._raise_floor(self._engine)

    def _opened(self) -> Engine:
        if self._engine is None:
            raise VaultLocked
        return self._engine

    def _raise_floor(self, engine: Engine) -> None:
        """Leave a mark in a key source that lies apart; it can wait when now is a bad time."""
        with contextlib.suppress(Busy, ValetError), self._opening.locks.held(_ROTATION, 0):
            engine.raise_floor()


def open_vault(
    state_dir: Path, key_source: str = "auto", *, prompt: Callable[[], Secret] | None = None
) -> Vault:
    """Open the vault in `state_dir`; it is made on first use, and only then.

    `key_source` is `auto`, `keyring`, `passphrase` or `file`; the choice is recorded in a new vault
    and never changes by itself. With a passphrase and no `prompt` the vault comes back locked.

    Raises `KeyUnavailable`, `PassphraseRefused`, `VaultDamaged` or `VaultUnwritable`.
    """
    return Vault(Opening(state_dir, key_source, prompt))


def _check_revision(change: Change, kind: str, record_id: str, expect: int | None) -> None:
    if expect is None:
        return
    held = change.contents.find(kind, record_id)
    if (held.facts.revision if held else 0) != expect:
        raise Conflict(f"the {kind} was changed by somebody else")
