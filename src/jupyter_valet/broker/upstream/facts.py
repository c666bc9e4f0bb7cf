"""What was found out about an upstream server, and the provider profile that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from ..egress.origin import Origin
from ..oauth import Profile, Quirks
from ..oauth.rfc8414 import Endpoints
from ..oauth.rfc9728 import Resource
from .settings import Server

Registers = Literal["", "document", "dynamic"]

_ROOT_WORDS = {
    "openid": "Know who you are",
    "profile": "See your name and picture",
    "email": "See your email address",
    "offline_access": "Stay signed in",
}


@dataclass(frozen=True)
class Facts:
    """How to be let in. Another issuer is another provider: no token outlives it (CL-08)."""

    url: str
    """Whom it was found out about."""
    found_at: float
    """Seconds since the epoch."""
    issuer: str = ""
    """Empty: the server wants no sign-in."""
    resource: str = ""
    scopes: tuple[str, ...] = ()
    registers: Registers = ""

    @classmethod
    def of(
        cls, server: Server, resource: Resource, endpoints: Endpoints, scopes: tuple[str, ...],
        now: float,
    ) -> Self:  # fmt: skip
        """Put together what the metadata says; `scopes` are those of a challenge (CL-16)."""
        offered = scopes or resource.scopes
        return cls(
            server.url, now, resource.issuer, resource.resource, offered, _registers(endpoints)
        )

    def to_meta(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "scopes": list(self.scopes)}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> Self:
        """Build them from `to_meta`."""
        return cls(**{**meta, "scopes": tuple(meta["scopes"])})


def _registers(endpoints: Endpoints) -> Registers:
    if endpoints.reads_client_documents:
        return "document"
    return "dynamic" if endpoints.registration else ""


def profile(server: Server, facts: Facts) -> Profile:
    """Return the provider that a connection to `server` is made at."""
    if server.keyed:
        return _keyed(server)
    return _signed_in(server, facts) if facts.issuer else _open(server)


def _signed_in(server: Server, facts: Facts) -> Profile:
    return Profile(
        name=server.name,
        title=server.words,
        issuer=facts.issuer,
        origins=(server.origin,),
        default_scopes=server.scopes or _without_offline(facts.scopes),
        scope_words=_ROOT_WORDS,
        public_client_id=server.client_id,
        select_account_params={},
        resource=facts.resource,
        scopes_are_wishes=True,
        sole_account=server.place,
        registers=facts.registers,
        loopback=server.loopback,
        principal=server.principal,
        quirks=Quirks(offline_scope="offline_access"),
        configured=True,
    )


def _without_offline(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """It is no permission, and added where the authorization server knows it (RS-09)."""
    return tuple(scope for scope in scopes if scope != "offline_access")


NOWHERE = Origin.parse("https://program.invalid")
"""The origin of a key that goes into a program's environment and never into a request."""


def _keyed(server: Server) -> Profile:
    origin = server.origin if server.url else NOWHERE
    placed = {"placement": server.key} if server.key else {}
    return Profile(
        name=server.name,
        title=server.words,
        kind="api_key",
        issuer=str(origin),
        origins=(origin,),
        loopback=server.loopback,
        program=server.command and server.place,
        configured=bool(server.url),
        **placed,  # type: ignore[arg-type]
    )


def _open(server: Server) -> Profile:
    origin = server.origin if server.url else NOWHERE
    return Profile(
        name=server.name,
        title=server.words,
        kind="open",
        issuer=str(origin),
        origins=(origin,),
        sole_account=server.place,
        program=server.command and server.place,
        principal=server.principal,
        loopback=server.loopback,
        configured=True,
    )
