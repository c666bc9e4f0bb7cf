"""The scopes of the demo provider, in words."""

from __future__ import annotations

WORDS = {
    "openid": "Know who you are",
    "profile": "See your name and email address",
    "issues:read": "Read projects and issues",
    "issues:write": "Create and change issues in your name",
}

BASIC = frozenset({"openid", "profile"})
"""What comes with every sign-in: shown, but not a box that can be unticked."""


def parse(text: str) -> frozenset[str] | None:
    """Return the scopes in `text` (RFC 6749 §3.3), or None when one of them is unknown."""
    names = frozenset(text.split())
    return names if names <= WORDS.keys() else None


def join(scopes: frozenset[str]) -> str:
    """Return `scopes` as a scope string, in the order of `WORDS`."""
    return " ".join(name for name in WORDS if name in scopes)
