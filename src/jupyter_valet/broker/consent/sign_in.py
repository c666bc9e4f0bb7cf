"""Signing in: off to the provider, and back exactly once."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from ...wire.errors import ValetError
from ...wire.views import Kind, TransactionState
from ..connections import Connection, Probes
from ..elicitation import Transaction
from ..oauth import (
    Account,
    CallbackRefused,
    OAuthApp,
    OAuthClient,
    OAuthRefused,
    Pending,
    Profile,
    TokenSet,
    WithoutBrowser,
)
from ..secret import Secret
from ..vault import Conflict, Vault
from .desk import Desk, digest, same
from .facts import redirect_uri
from .leave import Leave

_STATE_LIFE = 600.0
"""Seconds within which a `state` that was used once must not be accepted again."""


@dataclass(frozen=True)
class SignIn:
    """From the press that approves to the connection, and the grant of the notebook that asked."""

    desk: Desk
    leave: Leave
    vault: Vault
    oauth: OAuthClient
    probes: Probes

    @property
    def provider(self) -> WithoutBrowser:
        """The provider, where the answer does not come through the browser."""
        return WithoutBrowser(self.oauth)

    async def approve(self, params: dict[str, Any]) -> dict[str, Any]:
        """Begin at the provider: only now do `state`, PKCE and the browser binding exist (BP-06).

        Returns where to send the browser and the value of the binding cookie; neither, when there
        is nowhere to go, or something to be typed on the page first ("again"). Raises `ValetError`,
        also ("level_not_accepted") for a level that the person was to agree to first.
        """
        transaction = self.desk.pressed(params)
        if transaction.kind is Kind.VISIT:
            return self._visit(transaction)
        if self.desk.low(transaction):
            raise ValetError("level_not_accepted")
        profile = self.desk.profile(transaction)
        if profile.open:
            return self._use(transaction, profile)
        if profile.flow == "device":
            raise ValetError("page_out_of_date")  # its page has another button
        await self.probe(transaction, profile)
        if profile.own_account:
            return await self._as_the_client(transaction, profile)
        redirect = redirect_uri(params["origin"], profile.name)
        app = await self.desk.connections.obtain_app(profile, redirect)
        if app is None:
            if not transaction.by_code:
                raise ValetError("page_out_of_date")
            self.desk.change(transaction, Transaction.choosing_browser)
            return {"location": "", "binding": "", "again": True}  # the page asks for the app
        url, pending = await self.oauth.begin(
            profile,
            app,
            scopes=transaction.scopes,
            redirect_uri=redirect,
            select_account=transaction.select_account,
        )
        binding = secrets.token_urlsafe(32)
        approval = _approval(transaction.nonce, pending, digest(binding))
        approved = self.desk.change(transaction, approval)
        if approved.state is not TransactionState.AT_PROVIDER:  # it ended while we asked the issuer
            raise ValetError("page_out_of_date")
        self.desk.record("transaction.approved", transaction)
        return {"location": url, "binding": binding}

    def _visit(self, transaction: Transaction) -> dict[str, Any]:
        """Note that the person opens the page that an upstream server named (EC-12)."""
        try:
            self.desk.transactions.update(transaction.done("", ""))
        except (Conflict, ValueError):
            raise ValetError("page_out_of_date") from None
        self.desk.record("transaction.approved", transaction, reason="visit")
        return {"location": transaction.target, "binding": ""}

    def _use(self, transaction: Transaction, profile: Profile) -> dict[str, Any]:
        """Make the connection to a server that lets anybody in; there is nowhere to go first."""
        nothing = TokenSet(Secret(""), None, None, frozenset())
        account = Account(id=profile.sole_account, label=profile.sole_account)
        connection = self.desk.connections.store(transaction.principal, profile, nothing, account)
        self.desk.record("connection.made", transaction, connection)
        self.complete(transaction, connection, nothing)
        return {"location": "", "binding": ""}

    async def _as_the_client(self, transaction: Transaction, profile: Profile) -> dict[str, Any]:
        """Get a token for the client itself (RFC 6749 §4.4); there is nowhere to go first."""
        app = self.app(transaction, profile, "")
        self.desk.record("transaction.approved", transaction, reason="client credentials")
        try:
            tokens = await self.provider.own_tokens(profile, app, transaction.scopes)
        except OAuthRefused as refused:
            self.ended(transaction, profile, refused)
        else:
            await self.settle(transaction, profile, tokens)
        return {"location": "", "binding": ""}

    async def callback(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take the provider's answer, exactly once, and make the connection (RFC 6749 §4.1.2).

        The state must be ours, unused, of this provider, of this person and of this browser; it is
        spent even when the rest fails (R143–R145, R157).
        """
        transaction = self._of_state(params["provider"], params["query"])
        if transaction.principal != params["principal"]:
            self.desk.fail(transaction, "not_yours")
        elif not same(digest(params.get("binding") or ""), transaction.binding_digest):
            self.desk.fail(transaction, "other_browser")
        else:
            await self._finish(transaction, params["query"])
        return {"transaction": transaction.id}

    # Steps -------------------------------------------------------------------------------------

    async def _finish(self, transaction: Transaction, query: str) -> None:
        profile = self.desk.profile(transaction)
        pending = transaction.pending
        assert pending is not None  # `by_state` finds a transaction by its pending authorization
        try:
            code = self.oauth.check_callback(profile, pending, query)
            app = self.app(transaction, profile, pending.client_id)
            tokens = await self.oauth.exchange(profile, app, pending, code)
        except ValetError as error:
            return self.ended(transaction, profile, error)
        return await self.settle(transaction, profile, tokens)

    def ended(self, transaction: Transaction, profile: Profile, error: ValetError) -> None:
        """End a sign-in that brought no tokens, or none whose owner is known."""
        if isinstance(error, CallbackRefused):
            if error.slug == "access_denied":  # the person said no at the provider
                self.desk.change(transaction, Transaction.declined)
                return self.desk.record("transaction.declined", transaction)
        elif isinstance(error, OAuthRefused) and error.slug == "invalid_client":
            # A mistyped secret: ask for it again next time.
            by_code = transaction.by_code and profile.device.own_app
            owner = transaction.principal if profile.own_account else ""
            self.desk.connections.forget_app(profile.name, for_codes=by_code, owner=owner)
        return self.desk.fail_with(transaction, error)

    async def settle(self, transaction: Transaction, profile: Profile, tokens: TokenSet) -> None:
        """Make the connection that `tokens` are for, unless they came too late."""
        try:
            account = await self.oauth.account(profile, tokens)
        except ValetError as error:
            return self.ended(transaction, profile, error)
        if await self.came_too_late(transaction, profile, tokens):
            return None
        connection = self.desk.connections.store(transaction.principal, profile, tokens, account)
        self.desk.record("connection.made", transaction, connection)
        self.complete(transaction, connection, tokens)
        return None

    async def probe(
        self, transaction: Transaction, profile: Profile, like: Secret | None = None
    ) -> None:
        """Raise unless the API hosts may be given a credential; a host that echoes ends it."""
        try:
            await self.probes.check(profile, like)
        except ValetError as error:
            if error.code == "reflection_refused":
                self.desk.fail_with(transaction, error)
            raise

    async def came_too_late(
        self, transaction: Transaction, profile: Profile, tokens: TokenSet
    ) -> bool:
        """Drop what came after the sign-in was declined, cancelled or had expired.

        The grant ends at the provider, too, unless a connection might lean on the same one.
        """
        state = self.desk.get(transaction.id).state
        if not state.final or state is TransactionState.DONE:
            return False
        others = self.desk.connections.find(transaction.principal, profile.name)
        if not others and not profile.keyed:
            await self.oauth.revoke(
                profile, self.app(transaction, profile, tokens.client_id), tokens
            )
        self.desk.record("connection.refused", transaction, outcome=str(state))
        return True

    def complete(self, transaction: Transaction, connection: Connection, tokens: TokenSet) -> None:
        """Give the grant, finish this transaction, and every other that the connection covers."""
        profile = self.desk.profile(transaction)
        self.leave.signed_in(transaction, connection)
        missing = profile.normalise(transaction.scopes) - connection.scopes
        if missing and not profile.scopes_are_wishes:
            words = ", ".join(profile.words(scope) for scope in sorted(missing))
            self.desk.fail(transaction, "scope_missing", scopes=words)
        else:
            label = connection.account.label
            self.desk.change(transaction, lambda now: now.done(connection.id, label))
        self.desk.transactions.complete_covered(connection, profile, by=transaction)

    def _of_state(self, provider: str, query: str) -> Transaction:
        """Return the transaction that made this `state`, and spend the state."""
        states = parse_qs(query, keep_blank_values=True).get("state", [])
        if len(states) != 1:
            raise ValetError("page_out_of_date")
        state = digest(states[0])
        transaction = self.desk.transactions.by_state(state)
        if transaction is None or transaction.provider != provider:
            raise ValetError("page_out_of_date")
        if not self.vault.redeem(f"state:{state}", time.time() + _STATE_LIFE):
            raise ValetError("page_out_of_date")
        return transaction

    def app(self, transaction: Transaction, profile: Profile, client_id: str) -> OAuthApp:
        """Return the client that a sign-in began with. Raises `ValetError`."""
        owner = transaction.principal
        app = self.desk.connections.app(profile.name, client_id, owner=owner)
        if app is None:
            raise ValetError("page_out_of_date")
        return app


def _approval(
    nonce: str, pending: Pending, binding_digest: str
) -> Callable[[Transaction], Transaction]:
    """Return the step of an approval, good for the page that was pressed and no later one."""

    def step(now: Transaction) -> Transaction:
        if not same(now.nonce, nonce):
            raise ValueError("the page was opened anew")
        return now.approved(pending, binding_digest)

    return step
