"""The authorization endpoint's rules: what a request must say and how it is answered. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from . import scopes
from .clients import CLIENTS
from .grants import AuthorizationRequest, OAuthError
from .pkce import is_challenge

_PROMPTS = {"none", "login", "consent", "select_account"}


class RefusedOnPage(Exception):
    """The client or its redirect URI is not right, so nothing may be sent there (§4.1.2.1)."""


class RefusedByRedirect(Exception):
    """The request is not right; the client is told at its own redirect URI."""

    def __init__(self, redirect_uri: str, state: str, error: OAuthError) -> None:
        super().__init__(error.description)
        self.redirect_uri = redirect_uri
        self.state = state
        self.error = error


def check(query: Mapping[str, Sequence[str]]) -> AuthorizationRequest:
    """Return the request that `query` makes; its values are lists, so that repeats are seen.

    Raises `RefusedOnPage` before the redirect URI is known to be good and `RefusedByRedirect`
    after (RFC 6749 §4.1.2.1).
    """
    if any(len(query.get(name, ())) > 1 for name in ("client_id", "redirect_uri")):
        raise RefusedOnPage("The request names its client or redirect URI more than once.")
    values = {name: all_of_it[0] for name, all_of_it in query.items()}
    client = CLIENTS.get(values.get("client_id", ""))
    if client is None:
        raise RefusedOnPage("The application is not registered here.")
    redirect_uri = values.get("redirect_uri", "")
    if not client.may_redirect_to(redirect_uri):
        raise RefusedOnPage("The redirect URI is not registered for this application.")
    try:
        if any(len(all_of_it) > 1 for name, all_of_it in query.items() if name != "resource"):
            raise OAuthError("invalid_request", "A parameter is repeated.")
        return _parse(values)
    except OAuthError as error:
        raise RefusedByRedirect(redirect_uri, values.get("state", ""), error) from None


def _parse(values: Mapping[str, str]) -> AuthorizationRequest:
    if values.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "Only response_type=code is supported.")
    if values.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method must be S256.")
    if not is_challenge(values.get("code_challenge", "")):
        raise OAuthError("invalid_request", "A code_challenge is required.")
    asked = scopes.parse(values.get("scope", "profile"))
    if not asked:
        raise OAuthError("invalid_scope", "A scope is not known.")
    prompt = frozenset(values.get("prompt", "").split())
    if not prompt <= _PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise OAuthError("invalid_request", "The prompt is not known.")
    if "none" in prompt:  # this provider asks every time
        raise OAuthError("interaction_required", "A person must be asked.")
    return AuthorizationRequest(
        client_id=values["client_id"],
        redirect_uri=values["redirect_uri"],
        scopes=asked,
        state=values.get("state", ""),
        code_challenge=values["code_challenge"],
        prompt=prompt,
        login_hint=values.get("login_hint", ""),
        nonce=values.get("nonce", ""),
    )


def answer(redirect_uri: str, issuer: str, **parameters: str) -> str:
    """Return the URL that carries an authorization response, with `iss` (RFC 9207 §2)."""
    filled = {name: value for name, value in parameters.items() if value}
    return f"{redirect_uri}?{urlencode({**filled, 'iss': issuer})}"


def refusal(refused: RefusedByRedirect, issuer: str) -> str:
    """Return the URL that tells the client why its request was refused."""
    return answer(
        refused.redirect_uri,
        issuer,
        error=refused.error.code,
        error_description=refused.error.description,
        state=refused.state,
    )
