"""Does a request only read? By its method, or by what its provider is known for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote_plus

from ..egress import Request
from ..egress.request import SAFE_METHODS
from ..oauth import Profile

_OVERRIDES = frozenset({"_method", "$httpmethod", "$httpheaders", "x-http-method-override"})
"""Query parameters by which frameworks and front ends take one method for another (R124)."""


def may_be_another(profile: Profile, request: Request) -> bool:
    """Tell whether the method of `request` says nothing about what it does there."""
    if request.origin in profile.gets_may_write:
        return True
    query = request.target.partition("?")[2]
    pairs = query.split("&") if query else ()
    return any(unquote_plus(pair.partition("=")[0]).lower() in _OVERRIDES for pair in pairs)


def access_of(profile: Profile, request: Request) -> Literal["read", "write"]:
    """Return what `request` does, as far as a person's grant is concerned.

    An API that posts its reads, too, says so in its profile (`reads`), and one that takes its
    writes as a GET, too, by `gets_may_write`. A rule holds for the path as it is written and no
    other spelling of it: what is not sure to read is a write.
    """
    method = request.method
    if method in SAFE_METHODS:
        if not may_be_another(profile, request):
            return "read"
        method = "POST"
    path = request.target.partition("?")[0]
    known = _compiled(profile.reads).fullmatch(f"{method} {path}")
    return "read" if known else "write"


@lru_cache(maxsize=64)
def _compiled(rules: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_pattern, rules)) or r"(?!)")


def _pattern(rule: str) -> str:
    method, _, path = rule.partition(" ")
    parts = (re.escape(part) for part in path.split("*"))
    return ("[A-Z]+ " if method == "*" else f"{method} ") + r"[A-Za-z0-9_\-]*".join(parts)
