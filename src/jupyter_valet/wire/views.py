"""What the broker tells about its objects: metadata only, never a secret, code, state or nonce.

Each view turns itself into JSON and back; a field that one side does not know is ignored, so a
kernel of an older environment can talk to a newer server.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class _View:
    """JSON in and out for flat dataclasses."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data for `json.dumps`."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build the view from decoded JSON; unknown members are dropped.

        Raises `TypeError` when a required member is missing.
        """
        names = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return cls(**{k: v for k, v in data.items() if k in names})


class TransactionState(StrEnum):
    """Where a pending elicitation is. Everything from `DONE` on is final."""

    WAITING = "waiting"
    """The link is shown, nobody has opened it."""
    OPENED = "opened"
    """The person looks at the consent page."""
    AT_PROVIDER = "at_provider"
    """The person approved and the browser was sent to the provider."""
    DONE = "done"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    """The kernel gave up: interrupt, restart, shutdown."""
    EXPIRED = "expired"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether nothing can happen to the transaction any more."""
        return self not in (self.WAITING, self.OPENED, self.AT_PROVIDER)


@dataclass(frozen=True)
class ScopeView(_View):
    """One scope that is asked for, in the provider's name and in words."""

    name: str
    words: str


@dataclass(frozen=True)
class TransactionView(_View):
    """A pending elicitation, as its card shows it.

    `revision` grows with every change and is what a long poll compares. `expires_at` is in
    seconds since the epoch.
    """

    id: str
    revision: int
    state: str
    provider: str
    provider_title: str
    server: str
    """Who asks, in words: this MCP server's name and the Jupyter server it belongs to (EC-04)."""
    reason: str
    """Why: the tool that needs it, or what became of the last sign-in."""
    url: str
    notebook: str
    expires_at: float
    scopes: list[ScopeView] = field(default_factory=list)
    account: str = ""
    """Label of the account, once signed in."""
    error: str = ""
    """Fixed text of what went wrong, once failed."""
    level: str = ""
    """The isolation level of the kernel that asks, L0 to L3, as measured."""
    level_words: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build the view, and its scopes, from decoded JSON."""
        scopes = [ScopeView.from_json(s) for s in data.get("scopes", [])]
        return super().from_json({**data, "scopes": scopes})


@dataclass(frozen=True)
class ConnectionView(_View):
    """One account of one person at one provider; times are seconds since the epoch, 0 = never."""

    id: str
    provider: str
    provider_title: str
    account_id: str
    account: str
    scopes: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    created_at: float = 0.0
    last_used_at: float = 0.0
    status: str = "active"
    """`active`, `needs_login` when the provider refused the credential, or `suspended` when its
    answers contained it."""
    reason: str = ""
    """Why it is not active, in words."""
    kind: str = "oauth"
    """`oauth`, or `api_key`: a key that the person typed, which only they can revoke."""


@dataclass(frozen=True)
class ConnectRequest(_View):
    """A person's `%connect`: `scopes` empty means the provider profile's defaults."""

    provider: str
    scopes: list[str] = field(default_factory=list)
    new_account: bool = False


@dataclass(frozen=True)
class ConnectReply(_View):
    """Either the connection that is already there, or the transaction that will make it."""

    connection: dict[str, Any] | None = None
    transaction: dict[str, Any] | None = None


@dataclass(frozen=True)
class StatusView(_View):
    """What `%valet` prints. `level` is an isolation level of the design, section 3: L0 … L3."""

    version: str
    level: str
    level_words: str
    vault: str
    """`unlocked`, `locked`, or the reason why it cannot be used."""
    key_source: str
    providers: list[str] = field(default_factory=list)
    toolsets: list[str] = field(default_factory=list)
    connections_url: str = ""
