"""An issuer as the administrator configured it (docs/mcp-authorization.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....wire.errors import ValetError
from ...egress.origin import split_url
from ...oauth.providers import settings as readers
from .. import scopes as ours

_CLAIM = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,127}", re.ASCII)
_MOST = 10_000


@dataclass(frozen=True)
class Introspection:
    """How tokens are looked up at the issuer, and as which client of its."""

    client_id: str
    client_secret_file: Path
    endpoint: str = ""
    """Empty: where the issuer's metadata say."""


@dataclass(frozen=True)
class Issuer:
    """Whose tokens open the endpoint, to whom of its people, and for what."""

    url: str
    audiences: frozenset[str] = frozenset()
    """What `aud` may name besides the endpoint's own URI."""
    subjects: Mapping[str, str] | None = None
    """Who of the issuer's people may come in, and which Jupyter user each is; None: on a JupyterHub
    the one of the same name."""
    principal_claim: str = "sub"
    scopes: Mapping[str, frozenset[str]] | None = None
    """What the issuer's scopes stand for here; None: it knows ours."""
    jwks_uri: str = ""
    """Empty: where the issuer's metadata say."""
    introspection: Introspection | None = None
    token_prefix: str = ""
    """How opaque tokens of this issuer begin; others are not shown to it."""
    loopback: bool = False
    """Whether it is on this machine; otherwise it may not be."""


def read(configured: Mapping[str, Any]) -> list[Issuer]:
    """Return the issuers. Raises `ValetError` ("bad_request") naming what is wrong."""
    issuers = [_issuer(url, entry) for url, entry in configured.items()]
    if sum(i.introspection is not None and not i.token_prefix for i in issuers) > 1:
        # A token without a prefix would be shown to all of them, and is good at one.
        raise _wrong("*", "token_prefix")
    return issuers


def _issuer(url: str, entry: Any) -> Issuer:
    _read("?", "issuer", url, readers.issuer)
    if not isinstance(entry, Mapping):
        raise _wrong(url, "issuer")
    unknown = set(entry) - _READERS.keys()
    if unknown:
        raise _wrong(url, readers.name_of(min(unknown)))
    found: dict[str, Any] = {
        _NAMES.get(key) or str(key): _read(url, key, value, _READERS[key])
        for key, value in entry.items()
    }
    issuer = Issuer(url, **found)
    places = (url, issuer.jwks_uri, issuer.introspection and issuer.introspection.endpoint)
    if any(place and split_url(place)[0].loopback != issuer.loopback for place in places):
        raise _wrong(url, "loopback")
    return issuer


def _audiences(value: Any) -> frozenset[str]:
    return frozenset(map(readers.text, [value] if isinstance(value, str) else _list(value)))


def _subjects(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {readers.text(subject): readers.text(user) for subject, user in value.items()}
    return {readers.text(subject): subject for subject in _list(value)}


def _claim(value: Any) -> str:
    if not _CLAIM.fullmatch(value):
        raise ValueError("not the name of a claim")
    return str(value)


def _scopes(value: Any) -> dict[str, frozenset[str]]:
    found = {readers.text(theirs): frozenset(mine.split()) for theirs, mine in value.items()}
    if not all(map(ours.is_scope, frozenset().union(*found.values()))):
        raise ValueError("not a scope of ours")
    return found


def _introspection(value: Any) -> Introspection:
    if set(value) - {"client_id", "client_secret_file", "endpoint"}:
        raise ValueError("not a setting")
    return Introspection(
        client_id=readers.text(value["client_id"]),
        client_secret_file=Path(readers.text(value["client_secret_file"])).expanduser(),
        endpoint=readers.url(value["endpoint"]) if "endpoint" in value else "",
    )


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MOST:
        raise ValueError("not a list")
    return list(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "audience": _audiences,
    "subjects": _subjects,
    "principal_claim": _claim,
    "scopes": _scopes,
    "jwks_uri": readers.url,
    "introspection": _introspection,
    "token_prefix": readers.text,
    "loopback": readers.flag,
}
_NAMES = {"audience": "audiences"}


def _read(url: str, key: str, value: Any, reader: Callable[[Any], Any]) -> Any:
    try:
        return reader(value)
    except (LookupError, ValueError, TypeError, AttributeError):
        raise _wrong(url, key) from None


def _wrong(url: str, key: str) -> ValetError:
    return ValetError("bad_request", what=f"setting {key} of the MCP issuer {url}")
