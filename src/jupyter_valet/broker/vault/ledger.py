"""The ledger: one number that says which records the vault must hold, no more and no fewer.

It is the keyed sum of all records modulo 2^256 (MSet-Add-Hash: Clarke et al., ASIACRYPT 2003, with
the sum itself sealed), so a write changes it by one addition. A record that was deleted, brought
back or set back to an older version behind the vault's back shows, although its seal is genuine.
"""

from __future__ import annotations

import hmac

from .sealing import KEY_BYTES, canonical

_MODULUS = 1 << (8 * KEY_BYTES)


class Ledger:
    """A running sum under one key."""

    __slots__ = ("_key", "_total")

    def __init__(self, key: bytes, total: bytes = b"") -> None:
        self._key = key
        self._total = int.from_bytes(total)

    def add(self, item: bytes) -> None:
        """Count `item` in."""
        self._total = (self._total + self._value(item)) % _MODULUS

    def remove(self, item: bytes) -> None:
        """Count `item` out."""
        self._total = (self._total - self._value(item)) % _MODULUS

    def total(self) -> bytes:
        """Return the sum as it is sealed."""
        return self._total.to_bytes(KEY_BYTES)

    def copy(self) -> Ledger:
        """Return a ledger that can be thrown away when a write fails."""
        return Ledger(self._key, self.total())

    def _value(self, item: bytes) -> int:
        return int.from_bytes(hmac.digest(self._key, item, "sha256"))


def record_item(kind: str, record_id: str, revision: int, tag: bytes) -> bytes:
    """Return what the ledger counts for a record; the tag of its seal stands for all else."""
    return canonical(["record", kind, record_id, revision, tag.hex()]).encode()


def redeemed_item(digest: bytes, expires_at: float) -> bytes:
    """Return what the ledger counts for a token that was used."""
    return canonical(["redeemed", digest.hex(), expires_at]).encode()
