"""Sealing and opening: the envelope around every record, and other uses of a `Secret` as a key.

    KEK(version) -- wraps --> fresh data key per write -- AES-256-GCM --> payload

Both steps authenticate the same facts: the format, the vault, what the record is called, under
which key and at which revision it was written, and its metadata in clear. So a record that was
swapped, edited, aged or brought from another vault does not open (R163-R166). A data key is used
once, so nonces cannot repeat after a rollback, a fork or a snapshot (R176).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..reveal import reveal_bytes
from ..secret import Secret

FORMAT = "jupyter-valet/vault/1"
KEY_BYTES = 32
TAG_BYTES = 16

_LAYOUT = b"\x01"
_NONCE = 12
_WRAPPED = KEY_BYTES + TAG_BYTES
_HEAD = len(_LAYOUT) + _NONCE + _WRAPPED + _NONCE


class Unsealable(Exception):
    """The sealed bytes do not belong to these facts, or not to this key."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is authenticated with a payload and stays readable beside it."""

    vault_id: str
    kind: str
    id: str
    key_version: int
    revision: int
    updated_at: float
    meta: str
    """Canonical JSON: see `canonical`."""

    def associated_data(self) -> bytes:
        """Return the bytes that bind a seal to these facts; JSON keeps the fields apart."""
        facts = [FORMAT, self.vault_id, self.kind, self.id]
        return canonical(
            [*facts, self.key_version, self.revision, self.updated_at, self.meta]
        ).encode()


class Kek:
    """One version of the key-encrypting key, as three keys that are used for one thing each."""

    __slots__ = ("_wrap", "ledger_key", "witness_key")

    def __init__(self, key: bytes) -> None:
        self._wrap = AESGCM(_derive(key, "wrap"))
        self.ledger_key = _derive(key, "ledger")
        self.witness_key = _derive(key, "witness")

    def seal(self, facts: Facts, payload: Secret) -> bytes:
        """Return `payload` sealed under a fresh data key, bound to `facts`."""
        return self.seal_bytes(facts, reveal_bytes(payload))

    def open(self, facts: Facts, sealed: bytes) -> Secret:
        """Return the payload that was sealed with exactly these facts. Raises `Unsealable`."""
        return Secret(self.open_bytes(facts, sealed))

    def seal_bytes(self, facts: Facts, payload: bytes) -> bytes:
        """Seal what is the vault's own: its ledger and its key ring."""
        data_key, wrap_nonce, nonce = os.urandom(KEY_BYTES), os.urandom(_NONCE), os.urandom(_NONCE)
        bound = facts.associated_data()
        wrapped = self._wrap.encrypt(wrap_nonce, data_key, bound)
        return (
            _LAYOUT + wrap_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, payload, bound)
        )

    def open_bytes(self, facts: Facts, sealed: bytes) -> bytes:
        """Open what `seal_bytes` sealed. Raises `Unsealable`."""
        if sealed[:1] != _LAYOUT or len(sealed) < _HEAD + TAG_BYTES:
            raise Unsealable
        bound = facts.associated_data()
        wrap_nonce, wrapped = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE : _HEAD - _NONCE]
        try:
            data_key = self._wrap.decrypt(wrap_nonce, wrapped, bound)
            return AESGCM(data_key).decrypt(sealed[_HEAD - _NONCE : _HEAD], sealed[_HEAD:], bound)
        except InvalidTag:
            raise Unsealable from None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess at a passphrase costs: Argon2id's passes, memory in KiB, and lanes."""

    passes: int = 3
    memory: int = 64 * 1024
    lanes: int = 4

    def at_least(self, floor: Cost) -> bool:
        """Whether nobody has made guessing cheaper than `floor`."""
        return self.passes >= floor.passes and self.memory >= floor.memory and self.lanes >= 1


def stretch(passphrase: Secret, salt: bytes, cost: Cost) -> bytes:
    """Return the key that `passphrase` stands for (RFC 9106; defaults: its second recommendation).

    Takes some 0.1 to 1.5 s and `cost.memory` KiB, on purpose.
    """
    kdf = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.memory,
    )
    return kdf.derive(reveal_bytes(passphrase))


def is_short(passphrase: Secret, least: int) -> bool:
    """Whether the passphrase has fewer than `least` bytes; tells nothing else about it."""
    return len(reveal_bytes(passphrase)) < least


def weight(payload: Secret) -> int:
    """Return how many bytes a payload has, for the limit on records."""
    return len(reveal_bytes(payload))


class Mac:
    """HMAC-SHA256, for those who use a key without being told it."""

    __slots__ = ("_keyed",)

    def __init__(self, key: Secret) -> None:
        # To set the key takes longer than all the rest.
        self._keyed = hmac.new(reveal_bytes(key), digestmod="sha256")

    def of(self, data: bytes) -> str:
        """Return the code of `data`, in hexadecimal."""
        code = self._keyed.copy()
        code.update(data)
        return code.hexdigest()


_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical(value: Mapping[str, Any] | list[Any]) -> str:
    """Return the one JSON text of `value`: sorted, compact, no NaN.

    Raises `ValueError` or `TypeError` when it is no JSON.
    """
    return _CANONICAL.encode(value)


def random_secret() -> Secret:
    """Return 32 random bytes that nobody has seen."""
    return Secret(os.urandom(KEY_BYTES))


def fingerprint(text: str) -> bytes:
    """Return the digest under which a used token is remembered, so that none is kept in clear."""
    return hashlib.sha256(f"{FORMAT}/redeemed/{text}".encode()).digest()


def _derive(key: bytes, purpose: str) -> bytes:
    info = f"{FORMAT}/{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)
