"""Where the credential meets the request: the one place of the egress that opens a `Secret`."""

from __future__ import annotations

from ..reveal import reveal, reveal_bytes
from ..secret import Secret
from .reflection import Reflection


def bearer(credential: Secret) -> dict[str, str]:
    """Return the header that carries the credential (RFC 6750 §2.1)."""
    return {"Authorization": f"Bearer {reveal(credential)}"}


def watch(credential: Secret) -> Reflection:
    """Return what recognises the credential in an answer."""
    return Reflection(reveal_bytes(credential))
