"""Where credentials lie: sealed in a database, under a key that is kept elsewhere.

It stores records and locks names; it knows no provider, no connection and no transaction, and
nothing in it talks to a network. docs/vault.md has the format, and what to do when it refuses.
"""

from __future__ import annotations

from .errors import (
    Conflict,
    KeyUnavailable,
    PassphraseRefused,
    VaultDamaged,
    VaultLocked,
    VaultUnreachable,
    VaultUnsure,
    VaultUnwritable,
)
from .record import Record
from .vault import Vault, open_vault

__all__ = [
    "Conflict",
    "KeyUnavailable",
    "PassphraseRefused",
    "Record",
    "Vault",
    "VaultDamaged",
    "VaultLocked",
    "VaultUnreachable",
    "VaultUnsure",
    "VaultUnwritable",
    "open_vault",
]
