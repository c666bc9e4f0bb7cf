"""The OAuth client of the broker: begin, check the answer, exchange, refresh, revoke, identify.

It is the client of elicitation auth (third-party accounts) and knows nothing of MCP authorization;
each step is a pure function of a specification's module, and this one does the I/O between them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import httpx2

from ...wire.errors import ValetError
from ...wire.routes import PAGE_CALLBACK
from ..egress.origin import split_url
from ..egress.vetted import vetted_client
from ..secret import Secret
from . import identity, rfc6749, rfc7591, rfc7636, rfc8414
from .errors import InvalidGrant, OAuthRefused, ProviderUnreachable
from .profile import Profile
from .records import Account, OAuthApp, Pending, TokenSet
from .rfc7591 import Registered
from .rfc8414 import BadMetadata, Endpoints
from .strict_json import loads_object
from .token_endpoint import TokenEndpoint

METADATA_SECONDS = 3600.0
"""How long discovered metadata is believed."""


_CLIENT_IS_OUT = frozenset({"invalid_client", "unauthorized_client", "invalid_scope"})
"""Refusals of a client's own token that only a person can do something about."""


class HttpFactory(Protocol):
    """Makes a client that reaches vetted addresses only."""

    def __call__(self, *, loopback: bool, timeout: float) -> httpx2.AsyncClient:
        """Return a client for loopback profiles, or for all others."""
        ...


class OAuthClient:
    """Talks to the authorization servers. `timeout` (seconds) is for each request as a whole."""

    def __init__(
        self,
        *,
        timeout: float = 20,
        clock: Callable[[], float] = time.time,
        http: HttpFactory = vetted_client,
    ) -> None:
        self._timeout = timeout
        self._clock = clock
        self._factory = http
        self._clients: dict[bool, httpx2.AsyncClient] = {}
        self._metadata: dict[tuple[str, str], tuple[float, Endpoints]] = {}

    async def begin(
        self,
        profile: Profile,
        app: OAuthApp,
        *,
        scopes: Iterable[str],
        redirect_uri: str,
        login_hint: str = "",
        select_account: bool = False,
    ) -> tuple[str, Pending]:
        """Return the URL to send the browser to, and what its answer must match.

        Only to be called once the person has approved (BP-06, R158). Raises `OAuthRefused`,
        `ProviderUnreachable` and `AddressRefused`.
        """
        check_app(profile, app)
        _check_redirect_uri(profile, redirect_uri)
        endpoints = await self.endpoints(profile)
        verifier, challenge = rfc7636.new_verifier()
        state = secrets.token_urlsafe(32)
        asked = profile.to_ask(scopes)
        url = rfc6749.authorization_url(
            endpoints.authorization,
            client_id=app.client_id,
            parameters={
                "redirect_uri": redirect_uri,
                profile.quirks.scope_parameter: scope_text(profile, endpoints, asked),
                "state": state,
                "code_challenge": challenge,
                "code_challenge_method": rfc7636.METHOD,
                "login_hint": login_hint,
            },
            extra=_extra(profile, endpoints, select_account=select_account),
        )
        pending = Pending(
            provider=profile.name,
            issuer=profile.issuer,
            client_id=app.client_id,
            redirect_uri=redirect_uri,
            scopes=profile.normalise(asked),
            state_digest=rfc6749.state_digest(state),
            verifier=verifier,
            created_at=self._clock(),
            token_endpoint=endpoints.token,
            iss_required=endpoints.iss_required,
        )
        return url, pending

    def check_callback(self, profile: Profile, pending: Pending, query: str) -> Secret:
        """Return the code in the callback's query string, or raise `CallbackRefused`.

        Pure, but for the clock. That a state is used once is the caller's: it redeems the digest.
        """
        return rfc6749.callback_code(profile, pending, query, self._clock())

    async def register(self, profile: Profile, redirect_uri: str) -> Registered:
        """Register a client of our own at the provider (RFC 7591, CL-07).

        Raises `OAuthRefused` in words of its own when the provider does not want it.
        """
        _check_redirect_uri(profile, redirect_uri)
        endpoints = await self.endpoints(profile)
        request = rfc7591.request(profile, endpoints, redirect_uri)
        try:
            response = await self._http(profile).post(
                endpoints.registration, json=request, headers={"Accept": "application/json"}
            )
        except httpx2.HTTPError:
            raise ProviderUnreachable(profile.title) from None
        return rfc7591.registered(profile, response.status_code, response.content)

    async def exchange(
        self, profile: Profile, app: OAuthApp, pending: Pending, code: Secret
    ) -> TokenSet:
        """Redeem the code at the server that the browser was sent to, and at no other (R146).

        Raises `OAuthRefused`, `InvalidGrant`, `ProviderUnreachable`, `AddressRefused`.
        """
        check_app(profile, app)
        begun = (pending.provider, pending.issuer, pending.client_id)
        if begun != (profile.name, profile.issuer, app.client_id):
            raise OAuthRefused(profile.title, "other_app")
        endpoint = await self.token_endpoint(profile)
        if endpoint.endpoints.token != pending.token_endpoint:
            raise OAuthRefused(profile.title, "bad_metadata")
        return await endpoint.redeem(app, pending, code, self._clock())

    async def refresh(self, profile: Profile, app: OAuthApp, tokens: TokenSet) -> TokenSet:
        """Return fresh tokens; the refresh token is the new one, or the old if none came (L16).

        A token of the client's own is asked for anew, for it has none (RFC 6749 §4.4.3). Raises
        `InvalidGrant` when only a person can help, `ProviderUnreachable` when waiting can.
        """
        check_app(profile, app)
        endpoint = await self.token_endpoint(profile)
        if profile.own_account:
            return await self._renewed(profile, app, tokens, endpoint)
        return await endpoint.refresh(app, tokens, self._clock())

    async def _renewed(
        self, profile: Profile, app: OAuthApp, tokens: TokenSet, endpoint: TokenEndpoint
    ) -> TokenSet:
        scope = profile.scope_separator.join(sorted(profile.minimal(tokens.scopes)))
        try:
            return await endpoint.client_credentials(app, scope, tokens.scopes, self._clock())
        except InvalidGrant:
            raise
        except OAuthRefused as refused:
            if refused.slug in _CLIENT_IS_OUT:
                raise InvalidGrant(profile.title, refused.words) from None
            raise

    async def revoke(self, profile: Profile, app: OAuthApp, tokens: TokenSet) -> bool:
        """End the grant at the provider; False when it did not confirm, for whatever reason."""
        try:
            check_app(profile, app)
            endpoint = await self.token_endpoint(profile)
            return await endpoint.revoke(app, tokens)
        except ValetError:
            return False

    async def account(self, profile: Profile, tokens: TokenSet) -> Account:
        """Return whose tokens these are, in the provider's own word.

        Raises `OAuthRefused` when the provider does not say, `ProviderUnreachable`.
        """
        if profile.own_account:
            return Account(id=tokens.client_id, label=tokens.client_id)
        if profile.sole_account:
            return Account(id=profile.sole_account, label=profile.sole_account)
        endpoint = await self.token_endpoint(profile)
        if not endpoint.endpoints.userinfo:
            raise OAuthRefused(profile.title, "bad_account")
        return identity.account(profile, await endpoint.identity(tokens))

    async def close(self) -> None:
        """Close the connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    # Metadata --------------------------------------------------------------------------------

    async def token_endpoint(self, profile: Profile) -> TokenEndpoint:
        """Return the endpoints that secrets are sent to. Raises as `endpoints` does."""
        endpoints = await self.endpoints(profile)
        return TokenEndpoint(self._http(profile), profile, endpoints)

    async def endpoints(self, profile: Profile) -> Endpoints:
        """Return where the provider is, as the profile or its metadata says.

        Raises `OAuthRefused` for metadata that cannot be used, `ProviderUnreachable`.
        """
        if not profile.discovered:
            return rfc8414.static(profile)
        key = (profile.name, profile.issuer)
        until, known = self._metadata.get(key, (0.0, None))
        if known is None or self._clock() > until:
            known = await self._discover(profile)
            self._metadata[key] = (self._clock() + METADATA_SECONDS, known)
        return known

    async def _discover(self, profile: Profile) -> Endpoints:
        """Ask the well-known places in turn; the first document decides (CL-02, CL-03)."""
        for url in rfc8414.candidates(profile.issuer):
            document = await self._document(profile, url)
            if document is not None:
                try:
                    return rfc8414.endpoints(profile, document)
                except BadMetadata as bad:
                    raise OAuthRefused(profile.title, bad.slug) from None
        raise OAuthRefused(profile.title, "no_metadata")

    async def _document(self, profile: Profile, url: str) -> dict[str, object] | None:
        try:
            response = await self._http(profile).get(url, headers={"Accept": "application/json"})
        except httpx2.HTTPError:
            raise ProviderUnreachable(profile.title) from None
        if response.status_code >= 500 or response.status_code == 429:
            raise ProviderUnreachable(profile.title)
        if response.status_code != 200:  # a redirect is not followed (BP-12), so it is no document
            return None
        try:
            return loads_object(response.content)
        except ValueError:
            return None  # many servers answer an unknown path with a page

    def _http(self, profile: Profile) -> httpx2.AsyncClient:
        if profile.loopback not in self._clients:
            self._clients[profile.loopback] = self._factory(
                loopback=profile.loopback, timeout=self._timeout
            )
        return self._clients[profile.loopback]


def check_app(profile: Profile, app: OAuthApp) -> None:
    """Raise `OAuthRefused` unless `app` is of this issuer: shown to no other (CL-08)."""
    if (app.provider, app.issuer) != (profile.name, profile.issuer):
        raise OAuthRefused(profile.title, "other_app")


def _check_redirect_uri(profile: Profile, redirect_uri: str) -> None:
    """Demand https or loopback, and the provider's own path (RFC 9700 §4.4.2.1, R146, R154)."""
    try:
        _, target = split_url(redirect_uri)
    except ValueError:
        raise OAuthRefused(profile.title, "bad_redirect_uri") from None
    if not target.endswith(f"/{PAGE_CALLBACK}/{profile.name}") or "?" in target:
        raise OAuthRefused(profile.title, "bad_redirect_uri")


def _offline(profile: Profile, endpoints: Endpoints) -> str:
    scope = profile.quirks.offline_scope
    return scope if scope in endpoints.scopes else ""


def scope_text(profile: Profile, endpoints: Endpoints, asked: frozenset[str]) -> str:
    """Return what a request for authorization names, the offline scope included."""
    named = sorted(profile.minimal(asked) | {_offline(profile, endpoints)} - {""})
    return profile.scope_separator.join(named)


def _extra(profile: Profile, endpoints: Endpoints, *, select_account: bool) -> dict[str, str]:
    extra = dict(profile.authorize_params)
    if profile.resource:
        extra["resource"] = profile.resource  # RFC 8707 §2.1, CL-11
    if select_account:
        extra |= profile.select_account_params
    if _offline(profile, endpoints) and "consent" not in extra.get("prompt", ""):
        # OpenID Connect Core §11: without it the offline scope must be ignored.
        extra["prompt"] = f"{extra.get('prompt', '')} consent".strip()
    return extra
