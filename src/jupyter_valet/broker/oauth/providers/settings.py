"""Readers of single settings: each returns the value, or raises for one that is wrong.

The file may be written by anyone who may write the person's files, so nothing is guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ...egress.denied import RULE
from ...egress.origin import Origin, check_target, split_url
from ...egress.placement import Placement

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")  # RFC 6749 §3.3
_PARAMETER = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)
_RESERVED = frozenset(
    {
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "device_code",
        "grant_type",
        "login_hint",
        "redirect_uri",
        "refresh_token",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)
"""Parameters of the protocol itself: a configuration that set one would change what is checked."""


_PLACES = {
    "header": frozenset({"in", "name", "prefix"}),
    "query": frozenset({"in", "name"}),
    "basic": frozenset({"in", "user"}),
}


def url(value: Any) -> str:
    """Return a URL of the strict form."""
    split_url(value)
    return str(value)


def issuer(value: Any) -> str:
    """Return an issuer: no query, no fragment (RFC 8414 §2)."""
    _, target = split_url(value)
    if "?" in target:
        raise ValueError("an issuer has no query")
    return str(value)


def text(value: Any) -> str:
    """Return a short line of text."""
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        raise ValueError("not a short line of text")
    return value


def flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("not true or false")  # noqa: TRY004 - one kind of error for all readers
    return value


def one_of(choices: set[str]) -> Callable[[Any], str]:
    """Return a reader for one of `choices`."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError("not one of the choices")
        return str(value)

    return read


def scopes(value: Any) -> tuple[str, ...]:
    """Return several scopes."""
    return tuple(map(scope, sequence(value)))


def scope(value: Any) -> str:
    """Return one scope (RFC 6749 §3.3)."""
    if not _SCOPE.fullmatch(value):
        raise ValueError("not a scope")
    return str(value)


def sequence(value: Any) -> list[Any]:
    """Return a list that is not too long."""
    if not isinstance(value, list | tuple) or len(value) > 200:
        raise ValueError("not a list")
    return list(value)


def origins(value: Any) -> tuple[Origin, ...]:
    """Return exact hosts."""
    return tuple(map(Origin.parse, sequence(value)))


def labels(value: Any) -> tuple[str, ...]:
    """Return several short lines."""
    return tuple(map(text, sequence(value)))


def words(value: Any) -> dict[str, str]:
    """Return scopes with their words."""
    return {scope(name): text(shown) for name, shown in value.items()}


def parameters(value: Any) -> dict[str, str]:
    """Return parameters that are not the protocol's own."""
    for key in value:
        if not _PARAMETER.fullmatch(key) or key in _RESERVED:
            raise ValueError("not a parameter that may be set")
    return {key: text(shown) for key, shown in value.items()}


def name_of(key: str) -> str:
    """Return `key` if it may be shown in an error."""
    return key if _PARAMETER.fullmatch(key) else "setting"


def path(value: Any) -> str:
    """Return a path with its query, in the strict form."""
    check_target(value)
    if not value.startswith("/"):
        raise ValueError("a path starts with a slash")
    return str(value)


def rules(value: Any) -> tuple[str, ...]:
    """Return endpoints that are never called, as `METHOD /path`."""
    found = tuple(sequence(value))
    if not all(RULE.fullmatch(rule) for rule in found):
        raise ValueError("not a rule of the form METHOD /path")
    return found


def reads(value: Any) -> tuple[str, ...]:
    """Return endpoints that only read, as `METHOD /path`: each of one method and one length."""
    found = rules(value)
    if any(rule.startswith("*") or "**" in rule for rule in found):
        raise ValueError("not one method and one length of path")
    return found


def place(value: Mapping[str, Any]) -> Placement:
    """Return where a key goes: `in` is `header`, `query` or `basic` (docs/providers.md)."""
    where = value["in"]
    if set(value) - _PLACES[where]:
        raise ValueError("a member that does not belong there")
    if not all(isinstance(part, str) for part in value.values()):
        raise ValueError("not a text")
    match where:
        case "header":
            name = value.get("name", "Authorization")
            usual = "Bearer " if name.lower() == "authorization" else ""
            return Placement("header", name, value.get("prefix", usual))
        case "query":
            return Placement("query", value["name"], "")
        case _:
            return Placement("basic", "Authorization", "", value.get("user", ""))
