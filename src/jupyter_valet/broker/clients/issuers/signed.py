"""Signed tokens: their form, and the one key that must have signed them (RFC 7515, RFC 9068).

Pure. What a token says is believed only after `verified`; before that it merely tells whom to ask.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ...oauth.strict_json import loads_object

LONGEST = 16 * 1024
"""Characters of a token."""

MOST_KEYS = 64

_RSA_BITS = 2048
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
"""Of `typ`: an access token, or what issuers before RFC 9068 say. Never a logout token, a proof of
possession or another JWT that the same key signs."""

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_EDDSA = ("EdDSA", "Ed25519")
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = (*_RSA, *_CURVES, *_EDDSA)
"""Signatures by a private key alone. `none` and HMAC, whose key we would have to share, are not."""


class Unsound(Exception):
    """Not a token of ours to judge, or one that nobody signed: it is never said which."""


@dataclass(frozen=True)
class Unverified:
    """What a token claims of itself; good to look up a key by, and for nothing else."""

    issuer: str
    algorithm: str
    key_id: str


class _OneAlgorithm(JWSRegistry):
    """Knows the algorithm that the key was picked for, and no other."""

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        """Return it, without the library's warning of `EdDSA`: its key is Ed25519 (RFC 9864)."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


def looks_signed(token: str) -> bool:
    """Tell whether it has the form of a signed JWT."""
    return len(token) <= LONGEST and _JWT.fullmatch(token) is not None


def peek(token: str) -> Unverified:
    """Return who is said to have signed, and how. Raises `Unsound`."""
    if not looks_signed(token):
        raise Unsound
    header, payload, _ = token.split(".")
    head, claims = _object(header), _object(payload)
    kind, algorithm = head.get("typ", ""), head.get("alg")
    if not isinstance(kind, str) or kind.lower() not in _TYPES or "crit" in head:
        raise Unsound
    issuer, key_id = claims.get("iss"), head.get("kid", "")
    if algorithm not in ALGORITHMS or not isinstance(issuer, str) or not isinstance(key_id, str):
        raise Unsound
    return Unverified(issuer, str(algorithm), key_id)


def verified(token: str, key: Key, algorithm: str) -> dict[str, Any]:
    """Return the claims that `key` has signed. Raises `Unsound`."""
    try:
        return dict(jwt.decode(token, key, registry=_OneAlgorithm(algorithm)).claims)
    except (JoseError, ValueError, RecursionError):
        raise Unsound from None


def keys_of(document: dict[str, Any]) -> list[Key]:
    """Return the public keys of a JWK set (RFC 7517 §5) that may sign; others are left out.

    Raises `Unsound` for what is no JWK set.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise Unsound
    return list(_usable(entries))


def pick(keys: Iterable[Key], asked: Unverified) -> Key | None:
    """Return the key that the token names; of a token that names none, the only one that fits."""
    fitting = [key for key in keys if _fits(key, asked.algorithm)]
    if asked.key_id:
        fitting = [key for key in fitting if key.get("kid") == asked.key_id]
    return fitting[0] if len(fitting) == 1 else None


def _usable(entries: list[Any]) -> Iterable[Key]:
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
            continue
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError, AttributeError):
            if entry["kty"] != "RSA" or _bits(entry["n"]) >= _RSA_BITS:
                yield JWKRegistry.import_key(_public(entry))


def _bits(number: str) -> int:
    return int.from_bytes(_bytes(number)).bit_length()


def _public(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what verifying takes: an issuer that publishes a private key gets no use out of it."""
    return {name: entry[name] for name in _PUBLIC if name in entry}


_PUBLIC = ("kty", "kid", "alg", "use", "n", "e", "crv", "x", "y")


def _fits(key: Key, algorithm: str) -> bool:
    if key.get("alg", algorithm) != algorithm:
        return False
    if algorithm in _CURVES:
        return isinstance(key, ECKey) and key.get("crv") == _CURVES[algorithm]
    if algorithm in _EDDSA:
        return isinstance(key, OKPKey) and key.get("crv") == "Ed25519"
    return isinstance(key, RSAKey)


def _object(part: str) -> dict[str, Any]:
    try:
        return loads_object(_bytes(part))
    except ValueError:
        raise Unsound from None


def _bytes(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
