"""What every key source can do. Copied in spirit from keyring's backends: see `check`."""

from __future__ import annotations

from typing import Protocol

from ..ring import KeyRing


class Unsuitable(Exception):
    """The key source cannot be used here; the text is the reason, for a person."""


class KeySource(Protocol):
    """A place for one vault's key ring. The shared tests are in `tests/unit/vault`."""

    name: str
    """What the configuration and the vault's header call it."""
    words: str
    """What it is worth, in one sentence."""
    apart: bool
    """Whether the ring lies away from the vault's folder, so restoring one leaves the other."""

    travels: bool
    """Whether other machines get the ring from here too, so that one of them may meet a vault that
    it has no witness of: it believes what it finds the first time."""

    def check(self) -> None:
        """Raise `Unsuitable` with the reason when this source cannot work here and now."""

    def load(self, vault_id: str) -> KeyRing | None:
        """Return the ring of this vault, or None when there is none.

        Raises `KeyUnavailable` when it cannot be fetched, `VaultDamaged` when it is no ring or
        another vault's, `VaultLocked` when a passphrase is missing.
        """

    def store(self, ring: KeyRing) -> None:
        """Keep `ring` in the place of the earlier one; durable when this returns."""

    def forget(self, vault_id: str) -> None:
        """Remove the ring of this vault, if there is one."""
