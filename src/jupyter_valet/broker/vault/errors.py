"""The ways in which a vault says no. Each is one line that a person may read."""

from __future__ import annotations

from ...wire.errors import ValetError


class Conflict(Exception):
    """The record is not at the revision that the writer expected: read it again, then decide."""


class VaultDamaged(ValetError):
    """The vault cannot be used as it is; nothing of it was handed out."""

    def __init__(self, what: str) -> None:
        super().__init__("vault_damaged", what=what)


class VaultLocked(ValetError):
    """The passphrase has not been typed since the broker started."""

    def __init__(self) -> None:
        super().__init__("vault_locked")


class PassphraseRefused(ValetError):
    """The passphrase does not open this vault, or is too weak to make one with."""

    def __init__(self, what: str) -> None:
        super().__init__("passphrase_refused", what=what)


class KeyUnavailable(ValetError):
    """The vault is sound, but its key cannot be fetched from where it is kept."""

    def __init__(self, what: str) -> None:
        super().__init__("key_unavailable", what=what)


class VaultUnwritable(ValetError):
    """A write did not happen: the disk is full or refuses it. What was stored before is intact."""

    def __init__(self, what: str) -> None:
        super().__init__("vault_unwritable", what=what)


class VaultUnreachable(ValetError):
    """The database of the vault does not answer; nothing of what was asked happened there."""

    def __init__(self, what: str) -> None:
        super().__init__("vault_unreachable", what=what)


class VaultUnsure(ValetError):
    """A connection was lost during a commit, and nobody can say whether that happened.

    What is read next is what is true.
    """

    def __init__(self) -> None:
        super().__init__("vault_unsure")
