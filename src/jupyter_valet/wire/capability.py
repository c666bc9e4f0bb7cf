"""The kernel capability: what a kernel shows the broker (design, sections 2 and 4).

It is MCP authorization, never elicitation auth: the prefix keeps the two apart on the wire, so a
provider token that is sent here, or a capability that is sent to a provider, is refused on sight.
"""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "jvk_"


def mint() -> str:
    """Return a new capability with 256 bits of randomness."""
    return PREFIX + secrets.token_urlsafe(32)


def looks_like_one(token: str) -> bool:
    """Tell whether `token` has the form of a kernel capability."""
    return token.startswith(PREFIX) and len(token) == len(PREFIX) + 43


def digest(token: str) -> str:
    """Return the SHA-256 by which the broker knows a capability; it keeps no bearer in clear."""
    return hashlib.sha256(token.encode()).hexdigest()
