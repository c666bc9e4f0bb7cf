"""The cookie that ties a sign-in to the browser that approved it (L1, ES-31, BP-04, BP-07).

Set with the redirect to the provider, never before the person approved; demanded by the callback.
Its name holds a digest of the sign-in's `state`, so two sign-ins in one browser do not get into
each other's way; its value is the broker's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, urlsplit

SECONDS = 600
_STEM = "valet-binding-"
_SECURE = "__Secure-"


def name(query: str, *, secure: bool) -> str:
    """Return the cookie's name for a URL query that carries the `state`.

    `__Secure-` and not `__Host-`, which forbids the narrow path that keeps the cookie away from
    every other handler.
    """
    state = parse_qs(query).get("state", [""])[0]
    digest = hashlib.sha256(state.encode()).hexdigest()[:16]
    return f"{_SECURE if secure else ''}{_STEM}{digest}"


def name_for(location: str, *, secure: bool) -> str:
    """Return the cookie's name for the provider's authorization URL."""
    return name(urlsplit(location).query, secure=secure)


def path_for(location: str, callbacks: str) -> str:
    """Return the cookie's path: the callback that the authorization URL names, and only it.

    `callbacks` is the folder of them all, for a URL that names none of ours.
    """
    redirect_uri = parse_qs(urlsplit(location).query).get("redirect_uri", [""])[0]
    path = urlsplit(redirect_uri).path
    return path if path.startswith(f"{callbacks}/") else callbacks


def all_values(cookies: Mapping[str, str]) -> Iterable[str]:
    """Yield the value of every binding that the browser shows."""
    for cookie, value in cookies.items():
        if cookie.removeprefix(_SECURE).startswith(_STEM) and value:
            yield value
