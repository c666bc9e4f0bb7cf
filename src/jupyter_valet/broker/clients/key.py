"""An API key: what a person gives to one program outside of the notebooks, and how it is kept.

In code it is a client's key, because a *provider's* API key is another thing (`broker.api_keys`).
Only its SHA-256 is kept: 256 random bits need no salt and no slow hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...wire.clients import KEY_DAYS, LONGEST_KEY_NAME
from ...wire.errors import ValetError
from ..client import PREFIX, Client
from ..vault import Record
from .scopes import is_scope

KIND = "client_key"

DAY = 86_400.0

_MOST_SCOPES = 32


@dataclass(frozen=True)
class ClientKey:
    """What is known of a key, which is everything but the key. Times: seconds since the epoch."""

    digest: str
    """SHA-256 of the key, in hex; by it the vault finds the record."""
    principal: str
    name: str
    scopes: frozenset[str]
    created_at: float
    expires_at: float
    last_used_at: float = 0.0

    @property
    def id(self) -> str:
        """Its name for programs: enough of the digest to tell it from every other key."""
        return self.digest[:16]

    @property
    def client(self) -> Client:
        """The client that shows it."""
        return Client(f"{PREFIX}key:{self.id}", self.name, self.scopes, self.expires_at)

    def lasts(self, now: float) -> bool:
        """Tell whether it has not expired."""
        return now < self.expires_at

    def to_meta(self) -> dict[str, Any]:
        """Return what the vault keeps beside the digest: nothing of it is secret."""
        return {
            "principal": self.principal,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "last_used_at": self.last_used_at,
        }

    @classmethod
    def from_record(cls, record: Record) -> ClientKey:
        """Return the key that `record` is about."""
        return cls(record.id, **{**record.meta, "scopes": frozenset(record.meta["scopes"])})


def checked_name(name: str) -> str:
    """Return the name that a person gave. Raises `ValetError` ("bad_request")."""
    name = " ".join(name.split())
    if not (0 < len(name) <= LONGEST_KEY_NAME and name.isprintable()):
        raise ValetError("bad_request", what=f"a name has 1 to {LONGEST_KEY_NAME} characters")
    return name


def checked_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Return the scopes that were chosen: at least one. Raises `ValetError` ("bad_request")."""
    chosen = frozenset(scopes)
    if not all(map(is_scope, chosen)):
        raise ValetError("bad_request", what="a scope is tools:read or tools:write[:TOOLSET]")
    if not 0 < len(chosen) <= _MOST_SCOPES:
        raise ValetError("bad_request", what="choose what the key is for")
    return chosen


def checked_days(days: int) -> int:
    """Return for how long; never for ever. Raises `ValetError` ("bad_request")."""
    if not 0 < days <= max(KEY_DAYS):
        raise ValetError("bad_request", what=f"an API key lasts 1 to {max(KEY_DAYS)} days")
    return days
