"""Proof Key for Code Exchange, the server's half (RFC 7636); S256 only (RFC 9700 §2.1.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")


def is_challenge(text: str) -> bool:
    """Tell whether `text` has the form of an S256 challenge (RFC 7636 §4.2)."""
    return _CHALLENGE.fullmatch(text) is not None


def challenge(verifier: str) -> str:
    """Return the S256 challenge of `verifier`."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def matches(verifier: str, expected: str) -> bool:
    """Tell whether `verifier` is well-formed and is what `expected` was made from (§4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(challenge(verifier), expected)
