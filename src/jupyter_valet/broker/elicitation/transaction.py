"""One pending elicitation as a pure state machine.

::

    waiting ──► opened ──► at_provider ──► done
       │  ▲        │  ◄────────┘  │
       └──┴────────┴──────────────┴──────► done, declined, cancelled, expired, failed

A person may open the page again while the browser is at the provider: that starts over with a new
`state`, unless they are there with a code, which the page goes on showing. A waiting transaction
may be done without its page, because another card got the same connection; what another notebook's
card got turns a sign-in into the question for a grant. Grants and approvals are never at a
provider. Nothing leaves a final state.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...wire.control import PreviewView
from ...wire.errors import RemoteError, ValetError
from ...wire.routes import PAGE_CONNECT
from ...wire.views import Kind, ScopeView, TransactionState, TransactionView
from ...wire.views import question as in_words
from ..kernels import Caller
from .question import Question

if TYPE_CHECKING:
    from ..oauth import DeviceCode, Pending

TIME_TO_LIVE = 600.0
"""Seconds that a person has (BP-06 recommends about ten minutes)."""


@dataclass(frozen=True)
class Failure:
    """Why a sign-in failed: the fixed texts of a `ValetError`, so that they survive a restart."""

    code: str
    message: str
    next: str

    def error(self) -> ValetError:
        """Return the error again."""
        return RemoteError(
            {"error": {"code": self.code, "message": self.message, "next": self.next}}
        )


@dataclass(frozen=True)
class Transaction:
    """One person is asked one question, for one kernel or client, about one provider.

    `id` is a handle, never an authority (ES-26, ES-32): it is in the URL that the client sees.
    `nonce` is the authority of a press on the consent page and never reaches a client or the disk;
    `binding_digest` ties the callback to the browser that approved.
    """

    id: str
    principal: str
    kernel_id: str
    notebook: str
    origin: str
    provider: str
    scopes: frozenset[str]
    reason: str
    created_at: float
    expires_at: float
    select_account: bool = False
    """Whether the provider shall ask which account, because a further one is wanted."""
    kind: Kind = Kind.SIGN_IN
    root: str = ""
    """The server's folder below which the notebook is."""
    client: str = ""
    """Name of the client that asks from outside of the notebooks; its id is the `kernel_id`."""
    access: str = "read"
    """Of a grant: what is asked for."""
    tool: str = ""
    """Of an approval: what wants to write."""
    digest: str = ""
    """Of an approval: the one request that it is about."""
    preview: PreviewView | None = None
    target: str = ""
    """Of a visit: the page of an upstream server that the person is to open."""
    level: str = ""
    """The isolation level that the person agreed to on the page, below the one they wanted."""
    state: TransactionState = TransactionState.WAITING
    revision: int = 0
    account: str = ""
    connection_id: str = ""
    binding_digest: str = ""
    failure: Failure | None = None
    nonce: str = ""
    pending: Pending | None = None
    by_code: bool = False
    """Whether the person chose to sign in by a code (RFC 8628)."""
    device: DeviceCode | None = None
    """The code that is out, while the person is at the provider with it."""

    @classmethod
    def begin(
        cls, caller: Caller, question: Question, *, now: float, ttl: float = TIME_TO_LIVE
    ) -> Transaction:
        """Return a new transaction with a random id of 256 bits, bound to `caller` (ES-24)."""
        return cls(
            id=secrets.token_urlsafe(32),
            principal=caller.principal,
            kernel_id=caller.kernel_id,
            notebook=caller.notebook,
            root=caller.root,
            client=caller.client.name if caller.client else "",
            origin=caller.origin,
            kind=question.kind,
            provider=question.provider,
            scopes=question.scopes,
            reason=question.reason,
            created_at=now,
            expires_at=now + ttl,
            select_account=question.select_account,
            access=question.access,
            connection_id=question.connection,
            tool=question.tool,
            digest=question.digest,
            preview=question.preview,
            target=question.target,
        )

    def __repr__(self) -> str:
        facts = f"{self.kind}, {self.provider}, {self.state}, revision={self.revision}"
        return f"Transaction({facts})"

    def asks_the_same_as(self, other: Transaction) -> bool:
        """Whether one card answers both: same kernel, same question."""
        return self._asked == other._asked

    def shares_grants_with(self, other: Transaction) -> bool:
        """Whether what is granted to the notebook of one is granted to the notebook of both."""
        if not self.notebook:
            return self.kernel_id == other.kernel_id
        return (self.principal, self.root, self.notebook) == (
            other.principal,
            other.root,
            other.notebook,
        )

    @property
    def _asked(self) -> tuple[object, ...]:
        what = (self.kind, self.provider, self.scopes, self.select_account)
        return (self.kernel_id, *what, self.access, self.connection_id, self.digest)

    # Transitions: each returns the next transaction, or raises ValueError --------------------

    def opened(self, nonce: str) -> Transaction:
        """The person looks at the consent page, whose one-time nonce this is."""
        return self._to(
            TransactionState.OPENED, nonce=nonce, pending=None, device=None, binding_digest=""
        )

    def approved(self, pending: Pending, binding_digest: str) -> Transaction:
        """The person approved: the browser is on its way to the provider.

        Raises `ValueError` unless the page is open: `state`, PKCE and the binding exist only after
        consent (BP-06, BP-07).
        """
        if self.state is not TransactionState.OPENED or self.kind is not Kind.SIGN_IN:
            raise ValueError(f"a {self.kind} that is {self.state} cannot be approved")
        return self._to(
            TransactionState.AT_PROVIDER,
            pending=pending,
            by_code=False,
            binding_digest=binding_digest,
            nonce="",
        )

    def choosing_code(self) -> Transaction:
        """The person wants to sign in by a code; the page goes on with what that takes."""
        return self._chosen(by_code=True)

    def choosing_browser(self) -> Transaction:
        """The person wants to sign in in this browser after all."""
        return self._chosen(by_code=False)

    def _chosen(self, *, by_code: bool) -> Transaction:
        if self.state is not TransactionState.OPENED or self.kind is not Kind.SIGN_IN:
            raise ValueError(f"a {self.kind} that is {self.state} has no choice of way")
        nonce = secrets.token_urlsafe(32)
        return self._to(TransactionState.OPENED, by_code=by_code, nonce=nonce)

    def waiting_for_code(self, device: DeviceCode) -> Transaction:
        """The person approved, and has a code to type at the provider.

        They have as long as the code is good, ten minutes at most, and their page goes on with a
        new nonce, for it can still be declined. Raises `ValueError` unless the page is open.
        """
        if self.state is not TransactionState.OPENED or self.kind is not Kind.SIGN_IN:
            raise ValueError(f"a {self.kind} that is {self.state} cannot be approved")
        return self._to(
            TransactionState.AT_PROVIDER,
            device=device,
            by_code=True,
            nonce=secrets.token_urlsafe(32),
            expires_at=min(device.expires_at, device.created_at + TIME_TO_LIVE),
        )

    def accepted(self, level: str) -> Transaction:
        """The person agreed to this isolation level. Raises `ValueError` unless the page is open.

        The page goes on with a new nonce: what it asks next is another question.
        """
        if self.state is not TransactionState.OPENED:
            raise ValueError(f"a {self.kind} that is {self.state} has no page")
        return self._to(TransactionState.OPENED, level=level, nonce=secrets.token_urlsafe(32))

    def for_a_grant(self) -> Transaction:
        """A sign-in that another notebook brought about: only the grant is left to ask for.

        Raises `ValueError` while the browser is at the provider, and for other kinds.
        """
        waiting = self.state in (TransactionState.WAITING, TransactionState.OPENED)
        if not waiting or not self.kind.gates_a_connection:
            raise ValueError(f"a {self.kind} that is {self.state} does not become a grant")
        return self._to(TransactionState.WAITING, kind=Kind.GRANT, nonce="")

    def done(self, connection_id: str, account: str) -> Transaction:
        """The person gave what was asked for."""
        return self._final(TransactionState.DONE, connection_id=connection_id, account=account)

    def declined(self) -> Transaction:
        """The person said no."""
        return self._final(TransactionState.DECLINED)

    def cancelled(self) -> Transaction:
        """The kernel gave up."""
        return self._final(TransactionState.CANCELLED)

    def failed(self, error: ValetError) -> Transaction:
        """The sign-in did not work; `error` holds fixed texts only."""
        failure = Failure(error.code, error.message, error.next)
        return self._final(TransactionState.FAILED, failure=failure)

    def expire_if_due(self, now: float) -> Transaction:
        """Return the transaction as it is at `now`: expired when its time is over."""
        if self.state.final or now < self.expires_at:
            return self
        return self._final(TransactionState.EXPIRED)

    def _final(self, state: TransactionState, **changes: object) -> Transaction:
        return self._to(state, pending=None, device=None, binding_digest="", nonce="", **changes)

    def _to(self, state: TransactionState, **changes: object) -> Transaction:
        if self.state.final:
            raise ValueError(f"a sign-in that is {self.state} cannot become {state}")
        return replace(self, state=state, **changes)  # type: ignore[arg-type]

    # What it says ----------------------------------------------------------------------------

    @property
    def error(self) -> str:
        """What went wrong and what to do next, once failed."""
        return str(self.failure.error()) if self.failure else ""

    @property
    def url(self) -> str:
        """Our own page for it: no credential, nothing about the person in it (ES-25, ES-26)."""
        return f"{self.origin.rstrip('/')}/{PAGE_CONNECT}/{self.id}"

    def outcome(self, provider_title: str) -> ValetError | None:
        """Return the error with which a call that waited for this must end, None when done.

        Raises `ValueError` while it is pending.
        """
        match self.state:
            case TransactionState.DONE:
                return None
            case TransactionState.FAILED if self.failure:
                return self.failure.error()
            case TransactionState.DECLINED | TransactionState.CANCELLED | TransactionState.EXPIRED:
                return ValetError(str(self.state), question=in_words(self.kind, provider_title))
        raise ValueError(f"a sign-in that is {self.state} has no outcome")

    def view(self, server: str, title: str, words: Callable[[str], str]) -> TransactionView:
        """Return what the card shows; `words` puts a scope into words."""
        return TransactionView(
            id=self.id,
            revision=self.revision,
            state=str(self.state),
            provider=self.provider,
            provider_title=title,
            server=server,
            reason=self.reason,
            url=self.url,
            notebook=self.notebook,
            client=self.client,
            expires_at=self.expires_at,
            scopes=[ScopeView(scope, words(scope)) for scope in sorted(self.scopes)],
            account=self.account,
            error=self.error,
            kind=self.kind,
        )
