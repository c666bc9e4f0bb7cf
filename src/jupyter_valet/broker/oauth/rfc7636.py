"""Proof Key for Code Exchange, S256 only (RFC 7636 §4.1, §4.2)."""

from __future__ import annotations

import secrets

from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

from ..secret import Secret

METHOD = "S256"


def new_verifier() -> tuple[Secret, str]:
    """Return a fresh verifier of 256 random bits, and its challenge."""
    verifier = secrets.token_urlsafe(32)
    return Secret(verifier), str(create_s256_code_challenge(verifier))
