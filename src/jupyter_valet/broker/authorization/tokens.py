"""What codes and tokens look like, and how they lead to what is known of them (pure).

::

    jvc_<handle>_<secret>   an authorization code      jvr_<handle>_<secret>   a refresh token
    jvo_<id>_<secret>       an access token            id = SHA-256 of the handle, shortened

A refresh token leads to its family even when it was used up long ago, so its reuse is seen however
often the family has gone on meanwhile. An access token must not: who was shown one, could end the
family by making up a refresh token.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from ...wire.clients import mint

_PARTS = re.compile(r"([0-9a-f]{32})_[A-Za-z0-9_-]{43}")


def new_handle() -> str:
    """Return a handle of 128 bits."""
    return secrets.token_hex(16)


def id_of(handle: str) -> str:
    """Return the id of the family that a handle leads to."""
    return hashlib.sha256(handle.encode()).hexdigest()[:32]


def new(prefix: str, key: str) -> str:
    """Return a new token that leads to `key`: a handle, or an id."""
    return mint(f"{prefix}{key}_")


def key(prefix: str, token: str) -> str:
    """Return the handle or id in a token; empty when it is none of this kind."""
    match = _PARTS.fullmatch(token.removeprefix(prefix)) if token.startswith(prefix) else None
    return match[1] if match else ""
