"""The key ring: every version of the key-encrypting key that a record may still need."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from .sealing import KEY_BYTES, Kek, canonical

_FORMAT = "jupyter-valet/key-ring/1"


@dataclass(frozen=True)
class KeyRing:
    """What a key source keeps: keys by version, and how far the vault had got when it was stored.

    `floor` is the generation below which the vault has been rolled back; it means something where
    the source keeps the ring away from the vault.
    """

    vault_id: str
    keys: Mapping[int, bytes] = field(repr=False)
    floor: int = 0

    @classmethod
    def new(cls, vault_id: str) -> KeyRing:
        """Return a ring with one random key."""
        return cls(vault_id, {1: os.urandom(KEY_BYTES)})

    @property
    def newest(self) -> int:
        """The highest version."""
        return max(self.keys)

    def with_new_key(self) -> KeyRing:
        """Return the ring with one more version."""
        return replace(self, keys={**self.keys, self.newest + 1: os.urandom(KEY_BYTES)})

    def only(self, version: int) -> KeyRing:
        """Return the ring without every other version."""
        return replace(self, keys={version: self.keys[version]})

    def at(self, floor: int) -> KeyRing:
        """Return the ring with a floor that never sinks."""
        return replace(self, floor=max(floor, self.floor))

    def kek(self, version: int) -> Kek:
        """Return the key of a version. Raises `KeyError` when the ring does not hold it."""
        kek = self._keks.get(version)
        if kek is None:
            kek = self._keks[version] = Kek(self.keys[version])
        return kek

    @cached_property
    def _keks(self) -> dict[int, Kek]:
        return {}

    def to_bytes(self) -> bytes:
        """Return the ring as its key source stores it. These bytes are the secret of secrets."""
        keys = {str(v): base64.b64encode(k).decode() for v, k in self.keys.items()}
        ring = {"format": _FORMAT, "vault": self.vault_id, "floor": self.floor, "keys": keys}
        return canonical(ring).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyRing:
        """Read what `to_bytes` made. Raises `ValueError` when it is anything else."""
        try:
            ring = json.loads(data)
            keys = {int(v): base64.b64decode(k, validate=True) for v, k in ring["keys"].items()}
            found = cls(str(ring["vault"]), keys, int(ring["floor"]))
            sound = (
                ring["format"] == _FORMAT
                and keys
                and all(len(k) == KEY_BYTES for k in keys.values())
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("no key ring") from error
        if not sound:
            raise ValueError("no key ring")
        return found
