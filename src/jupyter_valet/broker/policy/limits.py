"""What a grant narrows a connection down to: hosts, methods, paths and scopes (pure).

A limit is a list of what is allowed, so whatever cannot be told apart from something else is
refused. An empty list limits nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from ..egress.origin import Origin

_DECODINGS = 3
"""How often an upstream and its proxies may decode a path before it reaches a router."""

_HIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_SLASH = re.compile("%2f", re.IGNORECASE)
_WILD = re.compile(r"(\*\*|\*)")
LONGEST_GLOB = 300
MOST_STARS = 8
"""Wildcards of one glob: each more would cost the matcher another walk over the path."""
_LONGEST_PATH = 8192


@dataclass(frozen=True)
class Limits:
    """Lists of what is allowed; `per_hour` 0 is no limit of the rate."""

    hosts: tuple[str, ...] = ()
    """`host`, or `host:port`, as an `Origin` spells them."""
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Globs: `*` is anything within one segment, `**` anything at all."""
    scopes: tuple[str, ...] = ()
    per_hour: int = 0

    def to_meta(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "hosts": list(self.hosts),
            "methods": list(self.methods),
            "paths": list(self.paths),
            "scopes": list(self.scopes),
            "per_hour": self.per_hour,
        }

    def words(self) -> str:
        """Return the lists in one line; nothing where there are none."""
        lists = {
            "hosts": self.hosts,
            "methods": self.methods,
            "paths": self.paths,
            "permissions": self.scopes,
        }
        return "; ".join(f"{name} {' '.join(items)}" for name, items in lists.items() if items)

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> Limits:
        """Read what `to_meta` wrote."""
        lists = {name: tuple(meta[name]) for name in ("hosts", "methods", "paths", "scopes")}
        found = cls(**lists, per_hour=meta["per_hour"])
        return NO_LIMITS if found == NO_LIMITS else found


NO_LIMITS = Limits()


def exceeded(
    limits: Limits, method: str, origin: Origin, target: str, scopes: frozenset[str]
) -> str:
    """Return which limit a request is outside of, in words; nothing when it is within all."""
    if limits.hosts and not {origin.host, f"{origin.host}:{origin.port}"} & {*limits.hosts}:
        return f"the host {origin.host}"
    if limits.methods and method not in limits.methods:
        return f"the method {method}"
    if limits.paths and not path_allowed(limits.paths, target):
        return "the path"
    if limits.scopes and not scopes <= {*limits.scopes}:
        return f"the permission {', '.join(sorted(scopes - {*limits.scopes}))}"
    return ""


def path_allowed(globs: Sequence[str], target: str) -> bool:
    """Tell whether every way in which a server might read the path of `target` is allowed."""
    return all(
        reading is not None and any(matches(glob, reading) for glob in globs)
        for reading in readings(target.partition("?")[0])
    )


def readings(path: str) -> Iterator[str | None]:
    """Yield what `path` may mean to a server; None where it has no single meaning.

    Decoded once with encoded slashes inside their segments; then decoded as often as an upstream
    and its proxies might. Dot segments, empty segments, backslashes and controls have no meaning
    that all of them share (R127).
    """
    path = path or "/"
    yield _plain(_SLASH.sub("%252F", path))
    for _ in range(_DECODINGS):
        if "%" not in path:
            break
        path = _decoded(path)
        yield _checked(path)
    else:
        if _decoded(path) != path:
            yield None


def _plain(path: str) -> str | None:
    return _checked(_decoded(path))


def _checked(path: str) -> str | None:
    if len(path) > _LONGEST_PATH or _HIDDEN.search(path) or not path.startswith("/"):
        return None
    if "//" in path or any(part in (".", "..") for part in path.split("/")):
        return None
    return path


def _decoded(path: str) -> str:
    return unquote_to_bytes(path).decode("utf-8", "surrogateescape")


def is_glob(text: str) -> bool:
    """Tell whether `text` is a glob that may be kept: a path, short, with few wildcards."""
    return (
        len(text) <= LONGEST_GLOB
        and text.isprintable()
        and _checked(text) is not None
        and "%" not in text
        and "***" not in text
        and len(_WILD.findall(text)) <= MOST_STARS
    )


def matches(glob: str, path: str) -> bool:
    """Tell whether `glob` is all of `path`, in time proportional to the two lengths.

    (A regular expression would take a power of the path's length, and kernels choose paths.)
    """
    ends: Iterable[int] = (0,)
    for piece in _pieces(glob):
        if piece == "**":
            ends = range(min(ends), len(path) + 1)
        elif piece == "*":
            ends = _within_segments(path, ends)
        else:
            ends = [end + len(piece) for end in ends if path.startswith(piece, end)]
        if not ends:
            return False
    return len(path) in ends


def _within_segments(path: str, starts: Iterable[int]) -> Sequence[int]:
    ends: list[int] = []
    for start in starts:  # in rising order, so each place is added once
        slash = path.find("/", start)
        stop = len(path) if slash < 0 else slash
        ends.extend(range(max(start, ends[-1] + 1 if ends else 0), stop + 1))
    return ends


@lru_cache(maxsize=512)
def _pieces(glob: str) -> tuple[str, ...]:
    return tuple(piece for piece in _WILD.split(glob) if piece)
