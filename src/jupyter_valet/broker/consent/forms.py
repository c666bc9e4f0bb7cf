"""The posted forms: the person's OAuth app, or an API key.

The post of an isolated page carries no login cookie, so its authority is the nonce, which was bound
to the person when the page was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from ...wire.errors import ValetError
from ...wire.views import Kind
from .. import api_keys
from ..elicitation import Transaction
from ..oauth import OAuthApp, Profile
from ..secret import Secret
from . import choices, facts
from .desk import Desk
from .sign_in import SignIn


@dataclass(frozen=True)
class Forms:
    """What a person types."""

    desk: Desk
    sign_in: SignIn

    async def save(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keep what was typed. Raises `ValetError`."""
        form = _form(params["form"])
        transaction = self.desk.get(params["transaction"])
        self.desk.check_nonce(transaction, form.get("nonce", ""))
        profile = self.desk.profile(transaction)
        if transaction.state.final or transaction.kind in (Kind.GRANT, Kind.APPROVAL):
            raise ValetError("page_out_of_date")
        if profile.keyed:
            await self._save_key(transaction, profile, form)
        else:
            self._save_app(transaction, _typed_app(transaction, profile, form))
        return facts.page(self.desk, self.desk.get(transaction.id), params["origin"]).to_json()

    async def _save_key(
        self, transaction: Transaction, profile: Profile, form: dict[str, str]
    ) -> None:
        """Seal a key that was typed, once its hosts have shown that they do not echo."""
        if self.desk.low(transaction) and not choices.understood(form):
            raise ValetError("level_not_accepted")
        tokens, account = api_keys.typed(profile, form)
        await self.sign_in.probe(transaction, profile, like=tokens.access_token)
        if await self.sign_in.came_too_late(transaction, profile, tokens):
            raise ValetError("page_out_of_date")
        connection = self.desk.connections.store(transaction.principal, profile, tokens, account)
        self.desk.record("connection.made", transaction, connection)
        self.sign_in.complete(transaction, connection, tokens)

    def _save_app(self, transaction: Transaction, app: OAuthApp) -> None:
        """Keep an OAuth app where there is none: a sign-in must not replace the one in use."""
        known = self.desk.connections.app(app.provider, for_codes=app.for_codes, owner=app.owner)
        if known is None:
            self.desk.connections.save_app(app)
            self.desk.record("app.saved", transaction)
        elif known != app:  # the same once more is a button that was pressed twice
            raise ValetError("page_out_of_date")


def _typed_app(transaction: Transaction, profile: Profile, form: dict[str, str]) -> OAuthApp:
    client_id = form.get("client_id", "").strip()
    if not client_id:
        raise ValetError("bad_request", what="the client id is missing")
    client_secret = form.get("client_secret", "").strip()
    if profile.own_account and not client_secret:  # RFC 6749 §4.4
        raise ValetError("bad_request", what="the client secret is missing")
    return OAuthApp(
        provider=profile.name,
        issuer=profile.issuer,
        client_id=client_id,
        client_secret=Secret(client_secret) if client_secret else None,
        for_codes=transaction.by_code and profile.device.own_app,
        owner=transaction.principal if profile.own_account else "",
    )


def _form(body: str) -> dict[str, str]:
    """Parse a form body; a name that comes twice is refused rather than guessed at."""
    fields = parse_qs(body, keep_blank_values=True, max_num_fields=16)
    if any(len(values) != 1 for values in fields.values()):
        raise ValetError("bad_request", what="the form is not as it was sent out")
    return {name: values[0] for name, values in fields.items()}
