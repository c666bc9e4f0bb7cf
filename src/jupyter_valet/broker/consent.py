"""What the isolated pages ask the broker: show, save, approve, decline, call back.

Everything that gates the kernel goes through here and comes from a page that kernel code and
notebook JavaScript can neither read nor press (design, section 5.5). The person is who the Jupyter
server says it is; the authority of a press is the page's one-time nonce.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from ..wire.control import DoneFacts, PageFacts
from ..wire.errors import ValetError
from ..wire.routes import PAGE_CALLBACK
from ..wire.views import ScopeView, TransactionState
from . import api_keys
from .audit import Audit
from .connections import Connection, Connections, Probes
from .elicitation import Transaction, Transactions
from .oauth import CallbackRefused, OAuthApp, OAuthClient, OAuthRefused, Pending, Profile, TokenSet
from .secret import Secret
from .vault import Conflict, Vault

_STATE_LIFE = 600.0
"""Seconds within which a `state` that was used once must not be accepted again."""


@dataclass(frozen=True)
class Consent:
    """The sign-in as the person sees it."""

    vault: Vault
    audit: Audit
    profiles: Mapping[str, Profile]
    oauth: OAuthClient
    connections: Connections
    transactions: Transactions
    probes: Probes
    page_nonces: dict[str, str] = field(default_factory=dict)
    """The connections page's nonce, by principal."""

    # The pages -------------------------------------------------------------------------------

    async def open(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say what the page of a transaction shows, and give the nonce that approves it.

        Opening a page again gives the same nonce (a browser may load twice), until it is used.
        """
        transaction = self._mine(params)
        if not transaction.state.final:
            transaction = self._opened(transaction)
        return self._facts(transaction, params["origin"]).to_json()

    async def save(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keep what the person typed into a form: their OAuth app's id and secret, or an API key.

        The post of an isolated page carries no login cookie, so its authority is the nonce, which
        was bound to the person when the page was made.
        """
        form = _form(params["form"])
        transaction = self._get(params["transaction"])
        _check_nonce(transaction, form.get("nonce", ""))
        profile = self._profile(transaction)
        if transaction.state.final:
            raise ValetError("page_out_of_date")
        if profile.keyed:
            await self._save_key(transaction, profile, form)
        else:
            self._save_app(transaction, _typed_app(profile, form))
        return self._facts(self._get(transaction.id), params["origin"]).to_json()

    async def approve(self, params: dict[str, Any]) -> dict[str, Any]:
        """Begin at the provider: only now do `state`, PKCE and the browser binding exist (BP-06).

        Returns where to send the browser and the value of the binding cookie.
        """
        transaction = self._mine(params)
        _check_open(transaction)
        _check_nonce(transaction, params["nonce"])
        profile = self._profile(transaction)
        await self._probe(transaction, profile)
        redirect = redirect_uri(params["origin"], profile.name)
        app = await self.connections.obtain_app(profile, redirect)
        if app is None:
            raise ValetError("page_out_of_date")
        url, pending = await self.oauth.begin(
            profile,
            app,
            scopes=transaction.scopes,
            redirect_uri=redirect,
            select_account=transaction.select_account,
        )
        binding = secrets.token_urlsafe(32)
        approved = self._change(transaction, _approval(params["nonce"], pending, _digest(binding)))
        if approved.state is not TransactionState.AT_PROVIDER:  # it ended while we asked the issuer
            raise ValetError("page_out_of_date")
        self._record("transaction.approved", transaction)
        return {"location": url, "binding": binding}

    async def decline(self, params: dict[str, Any]) -> dict[str, Any]:
        """End the transaction because the person said no on the page."""
        transaction = self._mine(params)
        _check_nonce(transaction, params["nonce"])
        if not transaction.state.final:
            self._change(transaction, Transaction.declined)
            self._record("transaction.declined", transaction)
        return {}

    async def callback(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take the provider's answer, exactly once, and make the connection (RFC 6749 §4.1.2).

        The state must be ours, unused, of this provider, of this person and of this browser; it is
        spent even when the rest fails (R143–R145, R157).
        """
        transaction = self._of_state(params["provider"], params["query"])
        if transaction.principal != params["principal"]:
            self._fail(transaction, "not_yours")
        elif not _same(_digest(params.get("binding") or ""), transaction.binding_digest):
            self._fail(transaction, "other_browser")
        else:
            await self._finish(transaction, params["query"])
        return {"transaction": transaction.id}

    async def done(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say how a sign-in ended, for its last page."""
        transaction = self._mine(params)
        profile = self._profile(transaction)
        return DoneFacts(
            state=transaction.state,
            provider=profile.name,
            provider_title=profile.title,
            account=transaction.account,
            notebook=transaction.notebook,
            error=transaction.error,
        ).to_json()

    async def connections_page(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the person's connections, and the nonce that a press on the page carries."""
        principal = params["principal"]
        return {
            "connections": [view.to_json() for view in self.connections.views(principal)],
            "providers": [
                {
                    "name": p.name,
                    "title": p.title,
                    "redirect_uri": redirect_uri(params["origin"], p.name),
                }
                for p in self.profiles.values()
            ],
            "nonce": self.page_nonces.setdefault(principal, secrets.token_urlsafe(32)),
        }

    async def connections_end(self, params: dict[str, Any]) -> dict[str, Any]:
        """Disconnect, and revoke at the provider if asked."""
        principal = params["principal"]
        if not _same(self.page_nonces.get(principal, ""), params["nonce"] or " "):
            raise ValetError("page_out_of_date")
        del self.page_nonces[principal]
        await self.connections.end(principal, params["connection"], revoke=params["revoke"])
        return {}

    # Steps -----------------------------------------------------------------------------------

    async def _finish(self, transaction: Transaction, query: str) -> None:
        profile = self._profile(transaction)
        pending = transaction.pending
        assert pending is not None  # `by_state` finds a transaction by its pending authorization
        try:
            code = self.oauth.check_callback(profile, pending, query)
            app = self._app(profile, pending.client_id)
            tokens = await self.oauth.exchange(profile, app, pending, code)
            account = await self.oauth.account(profile, tokens)
        except CallbackRefused as refused:
            if refused.slug == "access_denied":  # the person said no at the provider
                self._change(transaction, Transaction.declined)
                return self._record("transaction.declined", transaction)
            return self._fail_with(transaction, refused)
        except OAuthRefused as refused:
            if refused.slug == "invalid_client":  # a mistyped secret: ask for it again next time
                self.connections.forget_app(profile.name)
            return self._fail_with(transaction, refused)
        except ValetError as error:
            return self._fail_with(transaction, error)
        if await self._came_too_late(transaction, profile, tokens):
            return None
        connection = self.connections.store(transaction.principal, profile, tokens, account)
        self._record("connection.made", transaction, connection)
        self._complete(transaction, connection, tokens)
        return None

    async def _save_key(
        self, transaction: Transaction, profile: Profile, form: dict[str, str]
    ) -> None:
        """Seal a key that was typed, once its hosts have shown that they do not echo."""
        tokens, account = api_keys.typed(profile, form)
        await self._probe(transaction, profile, like=tokens.access_token)
        if await self._came_too_late(transaction, profile, tokens):
            raise ValetError("page_out_of_date")
        connection = self.connections.store(transaction.principal, profile, tokens, account)
        self._record("connection.made", transaction, connection)
        self._complete(transaction, connection, tokens)

    async def _probe(
        self, transaction: Transaction, profile: Profile, like: Secret | None = None
    ) -> None:
        """Raise unless the API hosts may be given a credential; a host that echoes ends it."""
        try:
            await self.probes.check(profile, like)
        except ValetError as error:
            if error.code == "reflection_refused":
                self._fail_with(transaction, error)
            raise

    async def _came_too_late(
        self, transaction: Transaction, profile: Profile, tokens: TokenSet
    ) -> bool:
        """Drop what came after the sign-in was declined, cancelled or had expired.

        The grant ends at the provider, too, unless a connection might lean on the same one.
        """
        state = self._get(transaction.id).state
        if not state.final or state is TransactionState.DONE:
            return False
        others = self.connections.find(transaction.principal, profile.name)
        if not others and not profile.keyed:
            await self.oauth.revoke(profile, self._app(profile, tokens.client_id), tokens)
        self._record("connection.refused", transaction, outcome=str(state))
        return True

    def _save_app(self, transaction: Transaction, app: OAuthApp) -> None:
        """Keep an OAuth app where there is none: a sign-in must not replace the one in use."""
        known = self.connections.app(app.provider)
        if known is None:
            self.connections.save_app(app)
            self._record("app.saved", transaction)
        elif known != app:  # the same once more is a button that was pressed twice
            raise ValetError("page_out_of_date")

    def _complete(self, transaction: Transaction, connection: Connection, tokens: TokenSet) -> None:
        """Finish this transaction, and every other that the new connection covers."""
        profile = self._profile(transaction)
        missing = profile.normalise(transaction.scopes) - connection.scopes
        if missing:
            words = ", ".join(profile.words(scope) for scope in sorted(missing))
            self._fail(transaction, "scope_missing", scopes=words)
        else:
            self._change(transaction, lambda now: now.done(connection.id, connection.account.label))
        self.transactions.complete_covered(connection, profile)

    def _fail(self, transaction: Transaction, code: str, **fields: object) -> None:
        self._fail_with(
            transaction, ValetError(code, provider=self._profile(transaction).title, **fields)
        )

    def _fail_with(self, transaction: Transaction, error: ValetError) -> None:
        self._change(transaction, lambda now: now.failed(error))
        self._record("transaction.failed", transaction, outcome=error.code)

    def _opened(self, transaction: Transaction) -> Transaction:
        """Note that the person looks at the page; a second look starts over with a new state."""
        if transaction.state is TransactionState.OPENED:
            return transaction
        nonce = secrets.token_urlsafe(32)
        return self._change(transaction, lambda now: now.opened(nonce=nonce))

    def _change(
        self, transaction: Transaction, step: Callable[[Transaction], Transaction]
    ) -> Transaction:
        """Take one step; if somebody else moved first, take it from where they left it.

        A transaction that ended meanwhile (the kernel was interrupted, another card got the same
        connection) stays as it ended: nothing leaves a final state.
        """
        try:
            return self.transactions.update(step(transaction))
        except Conflict:
            latest = self._get(transaction.id)
            if latest.state.final:
                return latest
            try:
                return self.transactions.update(step(latest))
            except (Conflict, ValueError):
                raise ValetError("page_out_of_date") from None

    def _facts(self, transaction: Transaction, origin: str) -> PageFacts:
        profile = self._profile(transaction)
        app = self.connections.app(profile.name)
        held = self.connections.find(transaction.principal, profile.name)
        return PageFacts(
            step=_step(transaction, profile, app, registers=self.connections.registers(profile)),
            transaction=transaction.id,
            nonce="" if transaction.state.final else transaction.nonce,
            provider=profile.name,
            provider_title=profile.title,
            provider_host=profile.provider_host,
            reason=transaction.reason,
            notebook=transaction.notebook,
            redirect_uri=redirect_uri(origin, profile.name),
            state=transaction.state,
            expires_at=transaction.expires_at,
            scopes=[ScopeView(s, profile.words(s)) for s in sorted(transaction.scopes)],
            accounts=[connection.account.label for connection in held],
            label=_renewed(transaction, held),
            label_is_user=profile.keyed and api_keys.user_is_typed(profile),
            client_id=app.client_id if app else profile.public_client_id,
            register_url=profile.register_url,
            error=transaction.error,
        )

    # Look-ups --------------------------------------------------------------------------------

    def _get(self, transaction_id: str) -> Transaction:
        transaction = self.transactions.get(transaction_id)
        if transaction is None:
            raise ValetError("not_found", what="sign-in")
        return transaction

    def _mine(self, params: dict[str, Any]) -> Transaction:
        """Return the transaction if the one who asks is the one who started it (ES-30, ES-31)."""
        transaction = self._get(params["transaction"])
        if not _same(transaction.principal, params["principal"]):
            raise ValetError("not_yours")
        return transaction

    def _of_state(self, provider: str, query: str) -> Transaction:
        """Return the transaction that made this `state`, and spend the state."""
        states = parse_qs(query, keep_blank_values=True).get("state", [])
        if len(states) != 1:
            raise ValetError("page_out_of_date")
        digest = _digest(states[0])
        transaction = self.transactions.by_state(digest)
        if transaction is None or transaction.provider != provider:
            raise ValetError("page_out_of_date")
        if not self.vault.redeem(f"state:{digest}", time.time() + _STATE_LIFE):
            raise ValetError("page_out_of_date")
        return transaction

    def _profile(self, transaction: Transaction) -> Profile:
        profile = self.profiles.get(transaction.provider)
        if profile is None:
            raise ValetError("unknown_provider", provider=transaction.provider)
        return profile

    def _app(self, profile: Profile, client_id: str) -> OAuthApp:
        app = self.connections.app(profile.name, client_id)
        if app is None:
            raise ValetError("page_out_of_date")
        return app

    def _record(
        self,
        action: str,
        transaction: Transaction,
        connection: Connection | None = None,
        outcome: str = "ok",
    ) -> None:
        self.audit.record(
            action,
            principal=transaction.principal,
            provider=transaction.provider,
            connection=connection.id if connection else "",
            account=connection.account.label if connection else "",
            kernel=transaction.kernel_id,
            notebook=transaction.notebook,
            outcome=outcome,
        )


def redirect_uri(origin: str, provider: str) -> str:
    """Return the one redirect URI of a provider: a path of its own (RFC 9700 §4.4.2.1)."""
    return f"{origin}{PAGE_CALLBACK}/{provider}"


def _step(
    transaction: Transaction, profile: Profile, app: OAuthApp | None, *, registers: bool
) -> str:
    if transaction.state.final:
        return "final"
    if profile.keyed:
        return "api_key"
    return "consent" if app is not None or registers else "client"


def _renewed(transaction: Transaction, held: list[Connection]) -> str:
    """Return the account that needs a new credential, if the page is there because of one."""
    if transaction.select_account:
        return ""
    return next((c.account.label for c in held if c.status != "active"), "")


def _typed_app(profile: Profile, form: dict[str, str]) -> OAuthApp:
    client_id = form.get("client_id", "").strip()
    if not client_id:
        raise ValetError("bad_request", what="the client id is missing")
    client_secret = form.get("client_secret", "").strip()
    return OAuthApp(
        provider=profile.name,
        issuer=profile.issuer,
        client_id=client_id,
        client_secret=Secret(client_secret) if client_secret else None,
    )


def _check_open(transaction: Transaction) -> None:
    if transaction.state is not TransactionState.OPENED:
        raise ValetError("page_out_of_date")


def _approval(
    nonce: str, pending: Pending, binding_digest: str
) -> Callable[[Transaction], Transaction]:
    """Return the step of an approval, good for the page that was pressed and no later one."""

    def step(now: Transaction) -> Transaction:
        if not _same(now.nonce, nonce):
            raise ValueError("the page was opened anew")
        return now.approved(pending, binding_digest)

    return step


def _check_nonce(transaction: Transaction, nonce: str) -> None:
    if not transaction.nonce or not _same(transaction.nonce, nonce):
        raise ValetError("page_out_of_date")


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _form(body: str) -> dict[str, str]:
    """Parse a form body; a name that comes twice is refused rather than guessed at."""
    fields = parse_qs(body, keep_blank_values=True, max_num_fields=16)
    if any(len(values) != 1 for values in fields.values()):
        raise ValetError("bad_request", what="the form is not as it was sent out")
    return {name: values[0] for name, values in fields.items()}
