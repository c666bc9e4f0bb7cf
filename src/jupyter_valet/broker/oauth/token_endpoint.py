"""The requests that carry secrets to a provider: code, refresh token, client secret, bearer.

The only module of the OAuth client that opens a `Secret`; what it opens goes into the body or the
`Authorization` header of one request, never into a URL, an error or a log line. Authlib builds the
bodies (RFC 6749 §4.1.3, §6; RFC 7009 §2.1). Its session classes are not used: they keep tokens in
dictionaries and put the provider's own text into exceptions.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

import httpx2
from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_token_request  # type: ignore[import-untyped]
from authlib.oauth2.rfc7009 import prepare_revoke_token_request  # type: ignore[import-untyped]

from ...wire.errors import ValetError
from ..reveal import reveal
from ..secret import Secret
from . import rfc6749, rfc8628
from .errors import (
    RETRYABLE,
    CallbackRefused,
    InvalidGrant,
    OAuthRefused,
    ProviderUnreachable,
)
from .profile import Profile
from .records import DeviceCode, OAuthApp, Pending, TokenSet
from .rfc8414 import Endpoints
from .strict_json import loads_object

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class TokenEndpoint:
    """One provider's token, revocation and identity endpoints, as one client sees them."""

    http: httpx2.AsyncClient
    profile: Profile
    endpoints: Endpoints

    async def redeem(self, app: OAuthApp, pending: Pending, code: Secret, now: float) -> TokenSet:
        """Exchange a code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5)."""
        body = prepare_token_request(
            "authorization_code",
            code=reveal(code),
            redirect_uri=pending.redirect_uri,
            code_verifier=reveal(pending.verifier),
            **self._resource,
            **self.profile.token_params,
        )
        answer = await self._token_request(app, body, dead_grant="")
        issued = rfc6749.token_set(self.profile, answer, asked=pending.scopes, now=now)
        return replace(issued, client_id=app.client_id)

    async def ask_code(
        self, app: OAuthApp, scope: str, asked: frozenset[str], now: float
    ) -> DeviceCode:
        """Ask for a code that the person types at the provider (RFC 8628 §3.1)."""
        wanted = {"scope": scope} if scope else {}
        body = urlencode({**wanted, **self._resource})
        answer = await self._token_request(app, body, dead_grant="", url=self.endpoints.device)
        return rfc8628.device_code(
            self.profile,
            app,
            answer,
            asked=asked,
            token_endpoint=self.endpoints.token,
            now=now,
        )

    async def redeem_code(self, app: OAuthApp, code: DeviceCode, now: float) -> TokenSet:
        """Exchange a device code for tokens (RFC 8628 §3.4).

        Raises `NotYet` while the person has not answered at the provider, and `CallbackRefused`
        when they said no.
        """
        body = prepare_token_request(
            rfc8628.GRANT_TYPE,
            device_code=reveal(code.device_code),
            **self._resource,
            **self.profile.token_params,
        )
        status, answer = await self._asked(app, body, self.endpoints.token)
        error = answer.get("error")
        if isinstance(error, str) and (later := rfc8628.later(error, answer)):
            raise later
        if error == "access_denied":
            raise CallbackRefused(self.profile.title, error)
        if error is not None:
            raise self._refusal(answer, "")
        if status != 200:
            raise OAuthRefused(self.profile.title, "refused")
        issued = rfc6749.token_set(self.profile, answer, asked=code.scopes, now=now)
        return replace(issued, client_id=app.client_id)

    async def client_credentials(
        self, app: OAuthApp, scope: str, asked: frozenset[str], now: float
    ) -> TokenSet:
        """Get a token for the client itself (RFC 6749 §4.4); it has no refresh token (§4.4.3)."""
        body = prepare_token_request(
            "client_credentials", scope=scope, **self._resource, **self.profile.token_params
        )
        answer = await self._token_request(app, body, dead_grant="")
        issued = rfc6749.token_set(self.profile, answer, asked=asked, now=now)
        return replace(issued, refresh_token=None, client_id=app.client_id)

    async def refresh(self, app: OAuthApp, tokens: TokenSet, now: float) -> TokenSet:
        """Get a new access token (RFC 6749 §6); an answer without a refresh token keeps the old.

        Raises `InvalidGrant` when the refresh token is dead, or when there is none.
        """
        if tokens.refresh_token is None:
            raise InvalidGrant(self.profile.title)
        body = prepare_token_request(
            "refresh_token", refresh_token=reveal(tokens.refresh_token), **self._resource
        )
        answer = await self._token_request(app, body, dead_grant=self.profile.quirks.dead_grant)
        fresh = rfc6749.token_set(self.profile, answer, asked=tokens.scopes, now=now)
        kept = fresh.refresh_token or tokens.refresh_token  # L16
        return replace(fresh, refresh_token=kept, client_id=tokens.client_id)

    @property
    def _resource(self) -> dict[str, str]:
        """What the token is for, in every request for one (RFC 8707 §2.2, CL-11)."""
        return {"resource": self.profile.resource} if self.profile.resource else {}

    async def revoke(self, app: OAuthApp, tokens: TokenSet) -> bool:
        """Revoke at the provider; the refresh token first, for that ends the whole grant.

        Returns whether the provider confirmed it. Raises what `_send` raises.
        """
        if self.profile.revocation.style == "delete_json":
            return await self._delete_json(app, tokens.access_token)
        if not self.endpoints.revocation:
            return False
        if tokens.refresh_token is None:
            return await self._revoke_one(app, tokens.access_token, "access_token")
        ended = await self._revoke_one(app, tokens.refresh_token, "refresh_token")
        await self._revoke_one(app, tokens.access_token, "access_token")
        return ended

    async def identity(self, tokens: TokenSet) -> dict[str, Any]:
        """Return the provider's answer to "whose token is this?" (OpenID Connect Core §5.3)."""
        response = await self._send(
            "GET",
            self.endpoints.userinfo,
            {"Authorization": f"Bearer {reveal(tokens.access_token)}"},
        )
        if response.status_code != 200:
            raise OAuthRefused(self.profile.title, "bad_account")
        return self._object(response)

    # The requests ----------------------------------------------------------------------------

    async def _token_request(
        self, app: OAuthApp, body: str, *, dead_grant: str, url: str = ""
    ) -> dict[str, Any]:
        status, answer = await self._asked(app, body, url or self.endpoints.token)
        if "error" in answer:  # GitHub and Slack say so with status 200
            raise self._refusal(answer, dead_grant)
        if status != 200:
            raise OAuthRefused(self.profile.title, "refused")
        return answer

    async def _asked(self, app: OAuthApp, body: str, url: str) -> tuple[int, dict[str, Any]]:
        headers, body = self._authenticated(app, body)
        response = await self._send("POST", url, headers, body)
        return response.status_code, self._object(response)

    async def _revoke_one(self, app: OAuthApp, token: Secret, hint: str) -> bool:
        body, _ = prepare_revoke_token_request(reveal(token), hint)
        headers, body = self._authenticated(app, body)
        response = await self._send("POST", self.endpoints.revocation, headers, body)
        return response.status_code == 200  # also for a token that was dead already (§2.2)

    async def _delete_json(self, app: OAuthApp, token: Secret) -> bool:
        if app.client_secret is None:
            return False  # the 404 for an unknown client would pass for a dead token
        url = self.profile.revocation.url.format(client_id=quote(app.client_id, safe=""))
        pair = f"{app.client_id}:{reveal(app.client_secret)}"
        headers = {"Authorization": _basic(pair), "Content-Type": "application/json"}
        body = json.dumps({"access_token": reveal(token)})
        response = await self._send("DELETE", url, headers, body)
        return response.status_code in (204, 404)  # 404: the token was dead already

    def _authenticated(self, app: OAuthApp, body: str) -> tuple[dict[str, str], str]:
        """Add the client's id and secret (RFC 6749 §2.3.1)."""
        headers = {"Content-Type": _FORM}
        secret = reveal(app.client_secret) if app.client_secret else ""
        method = app.token_auth or _auth_method(
            self.profile, self.endpoints, has_secret=bool(secret)
        )
        if method == "client_secret_basic":
            # Authlib leaves out the form-encoding of both parts that the RFC asks for.
            pair = f"{quote_plus(app.client_id)}:{quote_plus(secret)}"
            return {**headers, "Authorization": _basic(pair)}, body
        auth = ClientAuth(app.client_id, secret, method)
        _, headers, body = auth.prepare("POST", self.endpoints.token, headers, body)
        return headers, body

    async def _send(
        self, method: str, url: str, headers: dict[str, str], body: str | None = None
    ) -> httpx2.Response:
        """Send one request.

        Raises `ProviderUnreachable` when it fails, is too slow, or the provider fails (5xx, 429);
        `OAuthRefused` for a redirect; `AddressRefused`; `ValetError("response_too_large")`.
        """
        headers = {"Accept": "application/json", **headers}
        try:
            response = await self.http.request(method, url, headers=headers, content=body)
        except httpx2.DecodingError:
            raise OAuthRefused(self.profile.title, "not_json") from None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise ProviderUnreachable(self.profile.title) from None
        if response.status_code >= 500 or response.status_code == 429:
            raise ProviderUnreachable(self.profile.title)
        if response.is_redirect:
            raise OAuthRefused(self.profile.title, "redirected")
        return response

    # The answers -----------------------------------------------------------------------------

    def _object(self, response: httpx2.Response) -> dict[str, Any]:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if kind == _FORM and self.profile.quirks.accepts_form_answers:
                return _form_object(response.content)
            return loads_object(response.content)
        except ValueError:
            slug = "not_json" if response.is_success else "refused"
            raise OAuthRefused(self.profile.title, slug) from None

    def _refusal(self, answer: dict[str, Any], dead_grant: str) -> ValetError:
        """Turn an error answer (§5.2) into one of ours; its description stays behind."""
        error = answer["error"] if isinstance(answer["error"], str) else ""
        error = self.profile.quirks.error_words.get(error, error)
        if error in RETRYABLE:
            return ProviderUnreachable(self.profile.title)
        if error == "invalid_grant":
            subtype = answer.get("error_subtype")
            known = self.profile.quirks.subtype_words
            reason = known.get(subtype, "") if isinstance(subtype, str) else ""
            return InvalidGrant(self.profile.title, reason or dead_grant)
        return OAuthRefused(self.profile.title, error)


def _auth_method(profile: Profile, endpoints: Endpoints, *, has_secret: bool) -> str:
    """Return how the client authenticates; what nobody says is Basic (RFC 8414 §2)."""
    if not has_secret:
        return "none"
    if profile.token_auth:
        return profile.token_auth
    announced = endpoints.token_auth or {"client_secret_basic"}
    basic = "client_secret_basic" in announced
    return "client_secret_basic" if basic else "client_secret_post"


def _basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _form_object(body: bytes) -> dict[str, Any]:
    pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=64)
    answer = dict(pairs)
    if len(answer) != len(pairs):
        raise ValueError("a name occurs twice")
    return answer


# Sealing -------------------------------------------------------------------------------------


def pack(tokens: TokenSet) -> Secret:
    """Return `tokens` as one secret, for the vault."""
    return Secret(
        json.dumps(
            {
                "access_token": reveal(tokens.access_token),
                "refresh_token": reveal(tokens.refresh_token) if tokens.refresh_token else None,
                "expires_at": tokens.expires_at,
                "scopes": sorted(tokens.scopes),
                "token_type": tokens.token_type,
                "client_id": tokens.client_id,
            }
        )
    )


def unpack(secret: Secret) -> TokenSet:
    """Return the tokens that `pack` made into `secret`."""
    held = json.loads(reveal(secret))
    refresh_token = held["refresh_token"]
    return TokenSet(
        access_token=Secret(held["access_token"]),
        refresh_token=Secret(refresh_token) if refresh_token else None,
        expires_at=held["expires_at"],
        scopes=frozenset(held["scopes"]),
        token_type=held["token_type"],
        client_id=held.get("client_id", ""),
    )
