"""Endpoints that hand out credentials: a kernel would be handed what it may not read (R112).

A rule is `METHOD /path`, where `*` stands for any method or for a part of one segment, and `**` for
any number of segments. Rules are data of a provider's profile; those here go for every provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

RULE = re.compile(r"(\*|GET|HEAD|POST|PUT|PATCH|DELETE) (/[A-Za-z0-9\-._~:@*/]{0,199})", re.ASCII)

_DECODINGS = 3
_PARAMETERS = re.compile(r";[^/]*")
_SLASHES = re.compile(r"/{2,}")
_SUFFIX = re.compile(r"\.(?:json|xml)$")

EVERYWHERE = (
    # RFC 6749's endpoints, where they are on the API's own host.
    "* /token",
    "* /**/oauth/token",
    "* /**/oauth/access_token",
    "* /**/oauth2/token",
    "* /**/oauth2/v*/token",
    "* /**/connect/token",
    "* /**/openid-connect/token",
    # What APIs call tokens and keys that they make on request.
    "POST /**/access_tokens/**",
    "POST /**/access-tokens/**",
    "POST /**/personal_access_tokens/**",
    "POST /**/impersonation_tokens/**",
    "POST /**/deploy_tokens/**",
    "POST /**/api_keys/**",
    "POST /**/api-keys/**",
    "POST /**/apikeys/**",
)


class Denied:
    """The endpoints that are never called, whoever asks."""

    def __init__(self, rules: Iterable[str] = ()) -> None:
        """Raise `ValueError` for a rule that is none."""
        every = (*EVERYWHERE, *rules)
        self._pattern = re.compile("|".join(map(_compiled, every)))
        words = set(map(_word, every))
        self._words = tuple(w for w in words if not any(o != w and o in w for o in words))

    def covers(self, method: str, target: str) -> bool:
        """Tell whether a request to `target` (path and query) is one of them.

        The path is read as the most lenient server would: decoded several times, without regard to
        case, doubled slashes, path parameters or a format suffix.
        """
        path = _lenient(target.partition("?")[0])
        # Most paths hold no word of any rule; the pattern takes long over telling so.
        return any(map(path.__contains__, self._words)) and (
            self._pattern.fullmatch(f"{method} {path}") is not None
        )


@lru_cache(maxsize=64)
def denied(rules: tuple[str, ...]) -> Denied:
    """Return the same compiled rules for the same texts."""
    return Denied(rules)


def _lenient(path: str) -> str:
    for _ in range(_DECODINGS):
        if "%" not in path:
            break
        path = unquote(path)
    path = _SLASHES.sub("/", _PARAMETERS.sub("", path.lower().replace("\\", "/")))
    return _SUFFIX.sub("", path.rstrip("/")) or "/"


def _compiled(rule: str) -> str:
    match = RULE.fullmatch(rule)
    if match is None:
        raise ValueError("not a rule of the form METHOD /path")
    method = "[A-Z]+" if match[1] == "*" else match[1]
    segments = match[2].lower().strip("/").split("/")
    path = "".join("(?:/[^/]+)*" if s == "**" else f"/{_segment(s)}" for s in segments)
    return f"{method} {path}/?"  # only the root still has its slash


def _word(rule: str) -> str:
    """Return the longest text that each path under the rule holds."""
    return max(re.split(r"\*+|/", rule.partition(" ")[2].lower()), key=len)


def _segment(text: str) -> str:
    return "[^/]*".join(re.escape(part) for part in text.split("*"))
