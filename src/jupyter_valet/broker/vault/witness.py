"""The witness: a small file in the key folder that remembers how far the vault had got.

A vault that is older than its witness was rolled back, and a vault that is gone although its
witness is there was deleted (R167, R169). The witness is written after each commit and not synced:
it may lag behind by what the last seconds before a power cut wrote, and never runs ahead. It holds
two slots in turn, so a torn write leaves the other one.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

from .errors import VaultDamaged, VaultUnwritable
from .files import identity, open_private, read_private, replace_private
from .ring import KeyRing
from .sealing import canonical

_SLOT = 512


class Witness:
    """The witness file of one vault."""

    def __init__(self, path: Path, vault_id: str) -> None:
        self._path = path
        self._vault_id = vault_id
        self._fd = -1

    def generation(self, ring: KeyRing) -> int | None:
        """Return the newest generation that it vouches for, or None when there is no witness.

        Raises `VaultDamaged` when there is one and neither slot is genuine.
        """
        data = read_private(self._path)
        if data is None:
            return None
        slots = [self._read_slot(data[at : at + _SLOT], ring) for at in (0, _SLOT)]
        vouched = [generation for generation in slots if generation is not None]
        if not vouched:
            raise VaultDamaged("its witness in the key folder was changed or is another vault's")
        return max(vouched)

    def outlived(self, ring: KeyRing) -> bool:
        """Whether what it says is of a key that was dropped since: of a time before this ring.

        Another machine rotated then. Every state under the keys that are left is newer than it.
        """
        data = read_private(self._path) or b""
        slots = [_parsed(data[at : at + _SLOT]) for at in (0, _SLOT)]
        versions = [slot["key"] for slot in slots if isinstance(slot.get("key"), int)]
        return bool(versions) and max(versions) < min(ring.keys)

    def note(self, generation: int, version: int, ring: KeyRing) -> None:
        """Remember `generation`. A witness may lag, so a full disk is no error here."""
        with contextlib.suppress(OSError, VaultUnwritable):
            self._write(generation, version, ring)

    def replace(self, generation: int, version: int, ring: KeyRing) -> None:
        """Fill both slots anew, durable when this returns: an old key may go then."""
        try:
            self._write(generation, version, ring)
            self._write(generation - 1, version, ring)
            os.fsync(self._fd)
        except OSError as error:
            raise VaultUnwritable(error.strerror or "the disk refuses it") from None

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read_slot(self, data: bytes, ring: KeyRing) -> int | None:
        try:
            slot = json.loads(data)
            genuine = hmac.compare_digest(bytes.fromhex(slot.pop("mac")), self._mac(slot, ring))
            return int(slot["generation"]) if genuine and slot["vault"] == self._vault_id else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def _mac(self, slot: dict[str, object], ring: KeyRing) -> bytes:
        key = ring.kek(int(str(slot["key"]))).witness_key
        return hmac.digest(key, canonical(slot).encode(), "sha256")

    def _write(self, generation: int, version: int, ring: KeyRing) -> None:
        slot: dict[str, object] = {
            "vault": self._vault_id,
            "generation": generation,
            "key": version,
        }
        signed = {**slot, "mac": self._mac(slot, ring).hex()}
        data = canonical(signed).encode().ljust(_SLOT - 1) + b"\n"
        at = (generation % 2) * _SLOT
        os.lseek(self._open(data), at, os.SEEK_SET)
        os.write(self._fd, data)

    def _open(self, first: bytes) -> int:
        """Return the open file; a new one appears with `first` in both slots, never empty."""
        if self._fd < 0:
            if identity(self._path) is None:
                replace_private(self._path, first + first)
            self._fd = open_private(self._path, os.O_RDWR)
        return self._fd


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        slot = json.loads(data)
    except ValueError:
        return {}
    return slot if isinstance(slot, dict) else {}
