"""Does a request only read? By its method, or by what its provider is known for."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from ..egress import Request
from ..egress.request import SAFE_METHODS
from ..oauth import Profile


def access_of(profile: Profile, request: Request) -> Literal["read", "write"]:
    """Return what `request` does, as far as a person's grant is concerned.

    An API that posts its reads, too, says so in its profile (`reads`). A rule holds for the path
    as it is written and no other spelling of it: what is not sure to read is a write.
    """
    if request.method in SAFE_METHODS:
        return "read"
    path = request.target.partition("?")[0]
    known = _compiled(profile.reads).fullmatch(f"{request.method} {path}")
    return "read" if known else "write"


@lru_cache(maxsize=64)
def _compiled(rules: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_pattern, rules)) or r"(?!)")


def _pattern(rule: str) -> str:
    method, _, path = rule.partition(" ")
    parts = (re.escape(part) for part in path.split("*"))
    return ("[A-Z]+ " if method == "*" else f"{method} ") + r"[A-Za-z0-9_\-]*".join(parts)
