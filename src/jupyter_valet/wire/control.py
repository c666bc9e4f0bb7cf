"""The private channel between the Jupyter server extension and the broker it started.

One JSON object a line, over the broker's standard input and output: nobody else can connect to
it, and its end of file ends the broker. The server sends ``{"id", "method", "params"}``; the
broker answers ``{"id", "result"}`` or ``{"id", "error": <ValetError JSON's inner object>}`` and
may send ``{"event", "params"}`` at any time. It asks the server something in the same way, under
numbers of its own. A value that a person typed into an isolated page travels as the untouched form
body, so no code of the server handles it as a value.

Methods (params -> result)::

    start            StartParams                                   -> {"port", "version", "level"}
    capability.register  {"digest", "kernel_id", "principal", "notebook", "origin",
                          "root"?, "isolation"?: Isolation, "peer"?: Peer}  -> {}
    capability.bind      {"kernel_id", "peer": Peer}               -> {}
    capability.revoke    {"kernel_id"}                             -> {}
    page.open        {"transaction", "principal", "origin", "nonce"?} -> PageFacts
    page.save        {"transaction", "principal"?, "origin", "form"}  -> PageFacts (the next page)
    page.approve     {"transaction", "principal", "origin", "nonce"}  -> {"location", "binding",
                                                                        "again"?: the page again}
    page.code        {"transaction", "principal", "nonce"}         -> {}   sign in by a code
    page.decline     {"transaction", "principal", "nonce"}         -> {}
    page.accept      {"transaction", "principal", "nonce", "choices"} -> {}   a low level, ticked
    page.grant       {"transaction", "principal", "nonce", "choices"} -> {}
    page.allow       {"transaction", "principal", "nonce", "choices"} -> {}   one write
    page.done        {"transaction", "principal"}                  -> DoneFacts
    oauth.callback   {"provider", "query", "binding", "principal", "origin"} -> {"transaction"}
    connections.page {"principal", "origin"}            -> {"connections", "providers", "nonce",
                                                            "keys": [ClientKeyView], "scopes"}
    connections.end  {"principal", "connection", "nonce", "revoke"} -> {}
    grants.change    {"principal", "grant", "nonce", "choices"}    -> {}
    grants.end       {"principal", "grant", "nonce"}               -> {}
    client_keys.make {"principal", "nonce", "choices"}  -> {"token", "key": ClientKeyView}
    client_keys.end  {"principal", "key", "nonce"}                 -> {}
    notebook.moved   {"root", "old", "new"}   a file or folder; "" as "new": deleted  -> {}
    vault.unlock     {"form", "nonce"?}                            -> {"vault"}
    status           {}                                            -> StatusView

What the broker asks the server::

    peer.holds       {"peer": Peer, "inode"}                       -> {"holds"}
                     whether one of the processes that `peer` means, as the server told it, has this
                     socket; for a broker that may not look, of a server that said `Peer.answers`

Events (broker to server)::

    audit            {"schema_id", "data"}     for jupyter_events; never a secret

`origin` is the public origin plus `base_url`, e.g. ``https://hub.example/user/jane/``; the broker
makes every URL it hands out from it. `principal` is the server's word for the person.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .views import Kind, ScopeView, _View

START = "start"
CAPABILITY_REGISTER = "capability.register"
CAPABILITY_BIND = "capability.bind"
CAPABILITY_REVOKE = "capability.revoke"
PAGE_OPEN = "page.open"
PAGE_SAVE = "page.save"
PAGE_APPROVE = "page.approve"
PAGE_CODE = "page.code"
PAGE_DECLINE = "page.decline"
PAGE_ACCEPT = "page.accept"
PAGE_GRANT = "page.grant"
PAGE_ALLOW = "page.allow"
PAGE_DONE = "page.done"
OAUTH_CALLBACK = "oauth.callback"
CONNECTIONS_PAGE = "connections.page"
CONNECTIONS_END = "connections.end"
GRANTS_CHANGE = "grants.change"
GRANTS_END = "grants.end"
CLIENT_KEYS_MAKE = "client_keys.make"
CLIENT_KEYS_END = "client_keys.end"
NOTEBOOK_MOVED = "notebook.moved"
VAULT_UNLOCK = "vault.unlock"
STATUS = "status"

PEER_HOLDS = "peer.holds"

EVENT_AUDIT = "audit"

OWNER = "owner"
"""The principal of a server that knows one person only: whoever is authenticated to it."""


@dataclass(frozen=True)
class StartParams(_View):
    """What the broker is told before anything else. Nothing in it is secret."""

    state_dir: str
    """Absolute folder of the vault and the audit log; made with mode 0700 when missing."""
    origin: str
    """The server's best guess of its own origin with `base_url`, until a browser shows another."""
    listen_fd: int | None = None
    """Inherited listening socket; None where sockets cannot be inherited: the broker binds one."""
    key_source: str = "auto"
    """`auto`, `keyring`, `passphrase` or `file`."""
    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Provider profiles of the user's own, by name, in the form of docs/providers.md."""
    apis: dict[str, dict[str, Any]] = field(default_factory=dict)
    """APIs of the user's own that are tools for everybody, in the form of docs/tools.md."""
    mcp_servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """MCP servers whose tools are listed beside ours, by name, in the form of docs/upstream.md."""
    mcp_issuers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Issuers whose tokens open the MCP endpoint, in the form of docs/mcp-authorization.md."""
    client_documents: bool = True
    """Whether a program that signs in may be described by a document at a URL (CIMD)."""
    person: str = ""
    """The principal whom the server belongs to; empty: to several."""
    demo_issuer: str = ""
    """Issuer URL of the embedded demo provider, when it runs."""
    egress_limits: dict[str, Any] = field(default_factory=dict)
    """What a notebook's own requests may take (docs/clients.md); what is left out is usual."""
    door: str = ""
    """SHA-256 of the secret under which the server forwards outside clients; empty: it does not."""
    wanted_level: str = "L0"
    """The isolation level below which a grant needs the person's explicit word."""
    kernels: list[dict[str, Any]] = field(default_factory=list)
    """Kernels that run already, each as `capability.register` takes it: after a crash their waiting
    requests must find them known from the first moment on."""


@dataclass(frozen=True)
class ChoiceView(_View):
    """A connection that the person may choose on the page of a grant."""

    connection: str
    account: str
    access: str = ""
    """What the notebook may do with it already; empty: nothing."""
    limits: str = ""
    """What it stays limited to, in words."""


@dataclass(frozen=True)
class PreviewView(_View):
    """One write, as the person reads it before it is sent. Nothing in it is markup."""

    asker: str
    method: str
    host: str
    path: str
    account: str
    content_type: str = ""
    body: str = ""
    """At most some thousand characters; what is hidden or turns text around is spelled out."""
    note: str = ""
    """What of the body is not shown, in words."""
    words: str = ""
    """What the tool says that it does."""
    tool: str = ""
    """What more than one approval would be for, by the name that the audit knows."""


@dataclass(frozen=True)
class PageFacts(_View):
    """What the isolated page of a transaction shows: facts the broker knows, nothing a kernel said.

    `step` says which page it is: `level` (a box to tick, since the kernel is less isolated than the
    person wanted), `consent` (sign in with the provider), `client` (the person's OAuth app is not
    known yet: form with client id and secret), `api_key` (form), `use` (a server that wants no
    sign-in), `code` (to be typed at the provider), `grant` (which connection, and what of it),
    `approval` (one write), `visit` (a page of an upstream MCP server), `final`.
    """

    step: str
    transaction: str
    nonce: str
    provider: str
    provider_title: str
    provider_host: str
    """Host of the authorization endpoint or of the API that the key is for; of a program its
    command."""
    reason: str
    notebook: str
    redirect_uri: str
    state: str
    expires_at: float
    scopes: list[ScopeView] = field(default_factory=list)
    client: str = ""
    """Not empty: the client outside of the notebooks that asks instead of a notebook."""
    accounts: list[str] = field(default_factory=list)
    """Accounts that are already connected, for information."""
    named_by: str = ""
    """Who says that there is this provider, when nobody but a notebook does: in its own words."""
    program: str = ""
    """The whole command, where what is asked about is a program on the server's machine (BP-17)."""
    target: str = ""
    """Of a visit: the address of the page, which is not ours."""
    target_host: str = ""
    client_id: str = ""
    register_url: str = ""
    """Where the person registers an OAuth app at the provider, or finds their keys."""
    label: str = ""
    """The account whose API key is to be replaced."""
    label_is_user: bool = False
    """Whether the account's name is sent along with the key, as HTTP Basic's user name."""
    error: str = ""
    kind: str = Kind.SIGN_IN
    access: str = "read"
    """What is asked for: `read`, or `read_write`."""
    choices: list[ChoiceView] = field(default_factory=list)
    preview: PreviewView | None = None
    level: str = ""
    level_words: str = ""
    low: bool = False
    """Whether the level is below the one that the person wanted, and not accepted yet."""
    wanted_level: str = ""
    flow: str = "code"
    """How the sign-in goes: `code` in this browser, `device` by a code that the person types at the
    provider, `client_credentials` for the client itself."""
    usual_flow: str = "code"
    """How it goes unless the person chooses otherwise."""
    code_offered: bool = False
    """Whether the person may sign in by a code."""
    not_by_code: list[ScopeView] = field(default_factory=list)
    """What is asked for and cannot be had by a code."""
    user_code: str = ""
    """What the person types at `verification_uri`; only this page shows it."""
    verification_uri: str = ""
    verification_host: str = ""
    code_is_elsewhere: bool = False
    """Whether the provider, which is none of this package's, has the code typed at another host."""
    verification_uri_complete: str = ""
    """The same address with the code in it; empty: there is none."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PageFacts:
        """Build the facts, with all that is in them, from decoded JSON."""
        preview = data.get("preview")
        parts = {
            "scopes": [ScopeView.from_json(s) for s in data.get("scopes", [])],
            "not_by_code": [ScopeView.from_json(s) for s in data.get("not_by_code", [])],
            "choices": [ChoiceView.from_json(c) for c in data.get("choices", [])],
            "preview": PreviewView.from_json(preview) if preview else None,
        }
        return super().from_json({**data, **parts})


@dataclass(frozen=True)
class DoneFacts(_View):
    """The callback's result page."""

    state: str
    provider: str
    provider_title: str
    account: str
    notebook: str
    scopes_missing: list[ScopeView] = field(default_factory=list)
    client: str = ""
    error: str = ""
    kind: str = Kind.SIGN_IN

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DoneFacts:
        """Build the facts, and their missing scopes, from decoded JSON."""
        scopes = [ScopeView.from_json(s) for s in data.get("scopes_missing", [])]
        return super().from_json({**data, "scopes_missing": scopes})
