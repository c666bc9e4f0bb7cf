"""One connection: an account of a person at a provider, and how the vault and the wire see it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from msgspec import Struct

from ...wire.views import ConnectionView
from ..egress.origin import Origin
from ..oauth import Account, Profile
from ..vault import Record

KIND = "connection"

ACTIVE = "active"
NEEDS_LOGIN = "needs_login"
SUSPENDED = "suspended"

SETTINGS_CHANGED = "the provider's settings were changed"


class Connection(Struct, frozen=True):
    """One account of one person at one provider, without its credential; times in epoch seconds."""

    id: str
    principal: str
    provider: str
    issuer: str
    account: Account
    scopes: frozenset[str]
    """Normalised: granted by the provider and approved by the person."""
    origins: tuple[Origin, ...]
    """Where the credential may go, fixed when the connection is made."""
    created_at: float
    last_used_at: float
    status: str
    reason: str
    revision: int
    fingerprint: str = ""
    """Of the profile that it was made under."""

    def made_under(self, profile: Profile) -> bool:
        """Tell whether `profile` still is where this credential came from and may go (CL-08)."""
        made = (self.provider, self.issuer, self.fingerprint)
        return made == (profile.name, profile.issuer, profile.fingerprint)


class NeedsLogin(Exception):
    """Only the person can make the connection work again; `reason` says why, in words."""

    def __init__(self, connection: Connection, reason: str) -> None:
        self.connection = connection
        self.reason = reason
        super().__init__(f"{connection.provider} needs a login: {reason}")


def connection_id(principal: str, profile: Profile, account: Account) -> str:
    """Return the same id for the same account, so that a second sign-in finds the first (L26)."""
    parts = (principal, profile.name, profile.issuer, account.id, profile.place)
    key = "\0".join(parts if profile.place else parts[:-1])
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def new_meta(principal: str, profile: Profile, account: Account, now: float) -> dict[str, Any]:
    """Return the metadata of a connection that is made now, all but its scopes."""
    return {
        "principal": principal,
        "provider": profile.name,
        "issuer": profile.issuer,
        "fingerprint": profile.fingerprint,
        "account_id": account.id,
        "account": account.label,
        "origins": [str(origin) for origin in profile.origins],
        "created_at": now,
        "last_used_at": 0.0,
        "status": ACTIVE,
        "reason": "",
    }


def from_record(record: Record) -> Connection:
    """Return the connection that `record` holds."""
    meta = record.meta
    return Connection(
        id=record.id,
        principal=meta["principal"],
        provider=meta["provider"],
        issuer=meta["issuer"],
        account=Account(meta["account_id"], meta["account"]),
        scopes=frozenset(meta["scopes"]),
        origins=_origins(tuple(meta["origins"])),
        created_at=meta["created_at"],
        last_used_at=meta["last_used_at"],
        status=meta["status"],
        reason=meta["reason"],
        revision=record.revision,
        fingerprint=meta["fingerprint"],
    )


def _places(connection: Connection, profile: Profile | None) -> list[str]:
    """Return the hosts that the credential may go to; a program has none."""
    if profile is not None and profile.program:
        return []
    return [str(origin) for origin in connection.origins]


@lru_cache(maxsize=256)
def _origins(texts: tuple[str, ...]) -> tuple[Origin, ...]:
    """Parse once what every call looks up again."""
    return tuple(map(Origin.parse, texts))


def view(connection: Connection, profile: Profile | None) -> ConnectionView:
    """Return what may be told about a connection; one whose profile is gone needs a login."""
    current = profile is not None and connection.made_under(profile)
    scopes = profile.minimal(connection.scopes) if profile else connection.scopes
    return ConnectionView(
        id=connection.id,
        provider=connection.provider,
        provider_title=profile.title if profile else connection.provider,
        account_id=connection.account.id,
        account=connection.account.label,
        scopes=sorted(scopes),
        origins=_places(connection, profile),
        created_at=connection.created_at,
        last_used_at=connection.last_used_at,
        status=connection.status if current else NEEDS_LOGIN,
        reason=connection.reason if current else SETTINGS_CHANGED,
        kind=profile.kind if profile else "oauth",
    )
