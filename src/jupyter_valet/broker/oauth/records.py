"""What the flow remembers: the OAuth app, the pending authorization, the tokens, the account."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from ..secret import Secret

if TYPE_CHECKING:
    from ..vault import Record
    from .profile import TokenAuth


@dataclass(frozen=True)
class OAuthApp:
    """A client registered at one issuer, and good there alone (CL-08)."""

    provider: str
    issuer: str
    client_id: str
    client_secret: Secret | None = None
    token_auth: TokenAuth = ""
    """How it was told to authenticate when it was registered; empty: as the profile says."""
    for_codes: bool = False
    """Whether it is of the kind that signs people in by a code alone (`DeviceFlow.own_app`)."""
    owner: str = ""
    """Whose alone it is: of a client that is its own account, the person who typed its secret."""


@dataclass(frozen=True)
class Pending:
    """An authorization that was begun: what its answer must match.

    The state is kept as a digest only; the verifier is a secret that the vault seals.
    """

    provider: str
    issuer: str
    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    state_digest: str
    """SHA-256 of the state, in hex."""
    verifier: Secret
    created_at: float
    """Seconds since the epoch."""
    token_endpoint: str
    """Where the code will be redeemed, fixed before the browser leaves (mix-up, R146)."""
    iss_required: bool = False

    def to_meta(self) -> dict[str, Any]:
        """Return everything but the verifier as plain data."""
        meta = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        del meta["verifier"]
        return meta | {"scopes": sorted(self.scopes)}

    @classmethod
    def from_meta(cls, meta: dict[str, Any], verifier: Secret) -> Self:
        """Build it from `to_meta` and the verifier that was sealed."""
        return cls(**{**meta, "scopes": frozenset(meta["scopes"])}, verifier=verifier)

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Build it from a vault record that holds `to_meta` and the verifier."""
        return cls.from_meta(record.meta, record.payload)


@dataclass(frozen=True)
class DeviceCode:
    """A sign-in that waits until its user code was typed at the provider (RFC 8628 §3.2).

    The user code is for the eyes of the person who approved: not in a repr, and sealed at rest like
    the device code, which nobody sees.
    """

    provider: str
    issuer: str
    client_id: str
    scopes: frozenset[str]
    token_endpoint: str
    """Where the device code will be redeemed, fixed when it is issued."""
    created_at: float
    expires_at: float
    """Seconds since the epoch."""
    interval: float
    """Seconds between two polls, at least."""
    verification_uri: str
    device_code: Secret
    user_code: str = field(repr=False)
    verification_uri_complete: str = field(default="", repr=False)

    SEALED = ("device_code", "user_code", "verification_uri_complete")

    def to_meta(self) -> dict[str, Any]:
        """Return everything but what is sealed as plain data."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in self.SEALED]
        return {name: getattr(self, name) for name in names} | {"scopes": sorted(self.scopes)}

    @classmethod
    def from_meta(cls, meta: dict[str, Any], sealed: dict[str, str]) -> Self:
        """Build it from `to_meta` and what was sealed."""
        opened = {**sealed, "device_code": Secret(sealed["device_code"])}
        return cls(**{**meta, "scopes": frozenset(meta["scopes"]), **opened})


@dataclass(frozen=True)
class TokenSet:
    """The answer of a token endpoint."""

    access_token: Secret
    refresh_token: Secret | None
    expires_at: float | None
    """Seconds since the epoch; None: it does not expire by itself."""
    scopes: frozenset[str]
    """What was granted and asked for, normalised."""
    token_type: str = "Bearer"  # noqa: S105 - the name of a type
    client_id: str = ""
    """Whom they were issued to; no other client can use the refresh token (RFC 6749 §10.4)."""
    extra: frozenset[str] = frozenset()
    """What was granted without being asked for: never used, and audited (R156)."""

    def to_secret(self) -> Secret:
        """Return all of it as one secret, for sealing."""
        from .token_endpoint import pack  # the one module here that opens a Secret

        return pack(self)

    @classmethod
    def from_secret(cls, secret: Secret) -> TokenSet:
        """Build it from `to_secret`."""
        from .token_endpoint import unpack

        return unpack(secret)


@dataclass(frozen=True)
class Account:
    """Whose account it is: the provider's own id, and a label to show."""

    id: str
    label: str
