"""What an upstream's refusal means: sign in again, ask for more, or simply no."""

from __future__ import annotations

import re

_PARAMETER = re.compile(r'([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', re.IGNORECASE)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")
_MOST = 32


def missing_scopes(status: int, www_authenticate: str) -> frozenset[str] | None:
    """Return the scopes that a 403 says are missing (RFC 6750 §3.1), None when it says otherwise.

    An empty set means "more, but I do not say what". The names come from upstream, so only what
    has the form of a scope is kept (RFC 6749 §3.3), and not too much of it.
    """
    if status != 403:
        return None
    found = {m[1].lower(): m[2] or m[3] or "" for m in _PARAMETER.finditer(www_authenticate)}
    if found.get("error", "").lower() != "insufficient_scope":
        return None
    return scope_names(found.get("scope", ""))


def sufficient_scopes(status: int, granted: str, accepted: str) -> frozenset[str]:
    """Return scopes any one of which would do, of an API that lists them in headers (GitHub).

    `granted` and `accepted` are the comma-separated header values. Only for a 403: a 404 says the
    same for a private repository as for one that does not exist, and asking a person for more
    scopes because a caller mistyped a name would teach them to press the button.
    """
    if status != 403:
        return frozenset()
    have, would_do = scope_names(granted), scope_names(accepted)
    return frozenset() if have & would_do else would_do


def scope_names(text: str) -> frozenset[str]:
    """Return the well-formed scope names in `text`, separated by spaces or commas."""
    names = [name for name in re.split(r"[\s,]+", text) if _SCOPE.fullmatch(name)]
    return frozenset(names[:_MOST])
