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


class Kind(StrEnum):
    """What a pending elicitation asks the person for."""

    SIGN_IN = "sign_in"
    API_KEY = "api_key"
    USE = "use"
    """A server that lets anybody in may be used."""
    GRANT = "grant"
    """This notebook may use a connection that is there."""
    APPROVAL = "approval"
    """One write under a grant to read."""
    VISIT = "visit"
    """An upstream MCP server wants the person to open a page of its own."""

    @property
    def gates_a_connection(self) -> bool:
        """Whether a connection comes out of it, rather than leave to use one."""
        return self in (self.SIGN_IN, self.API_KEY, self.USE)


def question(kind: str, title: str) -> str:
    """Return what is asked for, as the beginning of a sentence; `title` is the provider's."""
    return _QUESTIONS.get(kind, "The question about {title}").format(title=title)


_QUESTIONS: dict[str, str] = {
    Kind.SIGN_IN: "The sign-in to {title}",
    Kind.API_KEY: "The question for a key of {title}",
    Kind.USE: "The question whether to use {title}",
    Kind.GRANT: "The grant for {title}",
    Kind.APPROVAL: "The approval of a write to {title}",
    Kind.VISIT: "The page that {title} wants you to open",
}


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
    client: str = ""
    """Not empty: the client outside of the notebooks that asks instead of a notebook."""
    kind: str = Kind.SIGN_IN
    """What is asked for; a kind that is new to the reader is a question all the same."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build the view, and its scopes, from decoded JSON."""
        scopes = [ScopeView.from_json(s) for s in data.get("scopes", [])]
        return super().from_json({**data, "scopes": scopes})


@dataclass(frozen=True)
class GrantView(_View):
    """Leave for one notebook to use one connection; `until` in seconds since the epoch, 0 = always.

    Empty limits limit nothing.
    """

    id: str
    notebook: str
    folder: str = ""
    """Where the server keeps the notebook; told to the person, never to a kernel."""
    run_only: bool = False
    """Whether it ends with the kernel that it was given to."""
    client: str = ""
    """The client outside of the notebooks that has it instead of a notebook."""
    access: str = "read"
    """`read`, or `read_write`."""
    writes: list[str] = field(default_factory=list)
    """Tools that may write although the access is to read."""
    hosts: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
    per_hour: int = 0
    until: float = 0.0
    created_at: float = 0.0


@dataclass(frozen=True)
class ClientKeyView(_View):
    """An API key of a program outside of the notebooks; times in seconds since the epoch."""

    id: str
    name: str
    scopes: list[ScopeView]
    created_at: float
    expires_at: float
    last_used_at: float = 0.0
    expired: bool = False
    grants: list[str] = field(default_factory=list)
    """What its program may use, in words."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build the view, and its scopes, from decoded JSON."""
        scopes = [ScopeView.from_json(scope) for scope in data.get("scopes", [])]
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
    """`oauth`, `api_key`: a key that the person typed, which only they can revoke, or `open`: leave
    to use what wants no credential."""
    grants: list[GrantView] = field(default_factory=list)
    """Which notebooks may use it; a kernel is told of its own only."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build the view, and its grants, from decoded JSON."""
        grants = [GrantView.from_json(g) for g in data.get("grants", [])]
        return super().from_json({**data, "grants": grants})


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
