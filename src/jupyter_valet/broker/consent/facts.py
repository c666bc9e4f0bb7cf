"""What a page shows: facts that the broker knows, nothing that a kernel said."""

from __future__ import annotations

from urllib.parse import urlsplit

from ...wire.control import ChoiceView, DoneFacts, PageFacts
from ...wire.routes import PAGE_CALLBACK
from ...wire.views import Kind, ScopeView
from .. import api_keys
from ..connections import Connection
from ..elicitation import Transaction
from ..oauth import OAuthApp, Profile
from .desk import Desk, page_nonce, subject_of

_LONGEST_NAME = 300
"""Characters of a notebook's own words about a provider."""


def page(desk: Desk, transaction: Transaction, origin: str) -> PageFacts:
    """Return what the page of a transaction shows."""
    profile = desk.profile(transaction)
    by_code = transaction.by_code or profile.flow == "device"
    asker = transaction.principal
    app = desk.connections.app(profile.name, for_codes=by_code, owner=asker)
    code = transaction.device
    held = desk.connections.find(transaction.principal, profile.name)
    level, level_words = desk.level(transaction)
    there = urlsplit(code.verification_uri).netloc if code else ""
    return PageFacts(
        step=_step(desk, transaction, profile, app),
        kind=transaction.kind,
        transaction=transaction.id,
        nonce="" if transaction.state.final else page_nonce(transaction, profile),
        provider=profile.name,
        provider_title=profile.title,
        provider_host=profile.provider_host,
        reason=transaction.reason,
        notebook=transaction.notebook,
        client=transaction.client,
        redirect_uri=redirect_uri(origin, profile.name),
        state=transaction.state,
        expires_at=transaction.expires_at,
        scopes=[ScopeView(s, profile.words(s)) for s in sorted(transaction.scopes)],
        accounts=[connection.account.label for connection in held],
        label=_renewed(transaction, held),
        label_is_user=profile.keyed and api_keys.user_is_typed(profile),
        client_id=app.client_id if app else profile.public_client_id,
        register_url=profile.register_url,
        program=profile.program,
        target=transaction.target,
        target_host=urlsplit(transaction.target).netloc,
        named_by=profile.named_by[:_LONGEST_NAME],
        error=transaction.error,
        access=transaction.access,
        choices=_choices(desk, transaction, profile, held),
        preview=transaction.preview,
        level=level,
        level_words=level_words,
        low=desk.low(transaction),
        wanted_level=desk.policy.wanted_level,
        flow="device" if by_code else profile.flow,
        usual_flow=profile.flow,
        code_offered=profile.gives_codes,
        not_by_code=[ScopeView(s, profile.words(s)) for s in _beyond(transaction, profile)],
        user_code=code.user_code if code else "",
        verification_uri=code.verification_uri if code else "",
        verification_host=there,
        code_is_elsewhere=profile.configured and there not in ("", profile.provider_host),
        verification_uri_complete=code.verification_uri_complete if code else "",
    )


def _beyond(transaction: Transaction, profile: Profile) -> list[str]:
    """Return what this sign-in wants that cannot be had by a code."""
    return sorted(profile.beyond_codes(transaction.scopes)) if profile.gives_codes else []


def done(desk: Desk, transaction: Transaction) -> DoneFacts:
    """Return what the last page shows."""
    profile = desk.profile(transaction)
    return DoneFacts(
        state=transaction.state,
        provider=profile.name,
        provider_title=profile.title,
        account=transaction.account,
        notebook=transaction.notebook,
        client=transaction.client,
        error=transaction.error,
        kind=transaction.kind,
    )


def offers(transaction: Transaction, profile: Profile, held: list[Connection]) -> list[Connection]:
    """Return the connections that would do for a grant."""
    wanted = profile.normalise(transaction.scopes)
    return [c for c in held if c.status == "active" and wanted <= c.scopes]


def redirect_uri(origin: str, provider: str) -> str:
    """Return the one redirect URI of a provider: a path of its own (RFC 9700 §4.4.2.1)."""
    return f"{origin}{PAGE_CALLBACK}/{provider}"


def _step(desk: Desk, transaction: Transaction, profile: Profile, app: OAuthApp | None) -> str:
    if transaction.state.final:
        return "final"
    if transaction.kind in (Kind.GRANT, Kind.APPROVAL, Kind.VISIT):
        return str(transaction.kind)
    if profile.keyed:
        return "api_key"
    if transaction.device is not None:
        return "code"
    if desk.low(transaction):
        return "level"
    if profile.open:
        return "use"
    return "consent" if app is not None or desk.connections.registers(profile) else "client"


def _choices(
    desk: Desk, transaction: Transaction, profile: Profile, held: list[Connection]
) -> list[ChoiceView]:
    if transaction.kind is not Kind.GRANT:
        return []
    subject = subject_of(transaction)
    found = []
    for connection in offers(transaction, profile, held):
        grant = desk.policy.grants.find(subject, connection.id)
        account = connection.account.label
        if grant is None:
            found.append(ChoiceView(connection.id, account))
        else:
            limits = grant.limits.words()
            found.append(ChoiceView(connection.id, account, grant.access, limits))
    return found


def _renewed(transaction: Transaction, held: list[Connection]) -> str:
    """Return the account that needs a new credential, if the page is there because of one."""
    if transaction.select_account:
        return ""
    return next((c.account.label for c in held if c.status != "active"), "")
