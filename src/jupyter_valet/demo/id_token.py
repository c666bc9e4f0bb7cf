"""ID tokens for clients that ask for `openid` (OpenID Connect Core 1.0 §2), signed with ES256."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_BYTES = 32
"""The length of an ES256 coordinate and of each half of its signature (RFC 7518 §3.4)."""


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(value: dict[str, Any]) -> str:
    return _b64(json.dumps(value, separators=(",", ":")).encode())


class Signer:
    """A key of this process, and what is signed with it."""

    KEY_ID = "demo"

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a JWK set (RFC 7517 §5)."""
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.KEY_ID}
        x, y = (_b64(n.to_bytes(_BYTES, "big")) for n in (numbers.x, numbers.y))
        return {"keys": [{**key, "x": x, "y": y}]}

    def id_token(self, issuer: str, client_id: str, subject: str, nonce: str, seconds: int) -> str:
        """Return a signed ID token for `subject`, good for `seconds`."""
        now = int(time.time())
        claims = {"iss": issuer, "aud": client_id, "sub": subject, "iat": now, "exp": now + seconds}
        if nonce:
            claims["nonce"] = nonce
        header = {"alg": "ES256", "typ": "JWT", "kid": self.KEY_ID}
        signed = f"{_part(header)}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_b64(r.to_bytes(_BYTES, 'big') + s.to_bytes(_BYTES, 'big'))}"
