"""What the demo provider has granted: codes, access tokens, refresh tokens. No I/O.

A *family* is what one consent gave; every token that came of it belongs to it, so that reuse of a
code (RFC 6749 §4.1.2) or of a refresh token (RFC 9700 §4.14.2) ends all of them at once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import scopes as scope_words
from .pkce import matches


class OAuthError(Exception):
    """An error of the protocol: `code` is registered, `description` is for a developer."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status


TOKEN_PREFIX = "valet-demo-token-"  # noqa: S105 - what every token begins with, and no token
"""By this, scanners for secrets, the tests among them, know a token wherever it has got to."""


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid request at the authorization endpoint."""

    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    state: str
    code_challenge: str
    prompt: frozenset[str] = frozenset()
    login_hint: str = ""
    nonce: str = ""


@dataclass
class Family:
    """One consent and all that came of it."""

    request: AuthorizationRequest
    person: str
    scopes: frozenset[str]
    ended: bool = False


@dataclass
class _Code:
    family: Family
    expires_at: float
    used: bool = False


@dataclass
class _Refresh:
    family: Family
    used: bool = False


@dataclass(frozen=True)
class Access:
    """What an access token stands for."""

    family: Family = field(repr=False)
    scopes: frozenset[str]
    expires_at: float

    @property
    def person(self) -> str:
        """The login name of whom the token acts for."""
        return self.family.person


class Grants:
    """Everything granted so far, in memory: it ends with the process, as a demo should."""

    def __init__(
        self,
        *,
        access_seconds: float = 300,
        code_seconds: float = 60,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.access_seconds = access_seconds
        self._code_seconds = code_seconds
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, Access] = {}
        self._refresh: dict[str, _Refresh] = {}

    def issue_code(
        self, request: AuthorizationRequest, person: str, granted: frozenset[str]
    ) -> str:
        """Return a code for what `person` agreed to: never more than was asked for."""
        code = secrets.token_urlsafe(32)
        family = Family(request, person, granted & request.scopes)
        self._codes[code] = _Code(family, self._clock() + self._code_seconds)
        return code

    def redeem_code(
        self, code: str, *, client_id: str, redirect_uri: str, verifier: str
    ) -> tuple[dict[str, Any], Family]:
        """Return a token answer for `code`, once. Raises `OAuthError`."""
        found = self._codes.get(code)
        if found is None or found.family.request.client_id != client_id:
            raise OAuthError("invalid_grant", "The code is not known.")
        if found.used:
            found.family.ended = True
            raise OAuthError("invalid_grant", "The code was used before.")
        if found.expires_at <= self._clock():
            raise OAuthError("invalid_grant", "The code has expired.")
        if redirect_uri != found.family.request.redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri is not that of the request.")
        if not matches(verifier, found.family.request.code_challenge):
            raise OAuthError("invalid_grant", "The code_verifier does not match.")
        found.used = True
        return self._answer(found.family, found.family.scopes), found.family

    def refresh(self, token: str, *, client_id: str, scope: str = "") -> dict[str, Any]:
        """Return a token answer with the next refresh token. Raises `OAuthError`.

        A refresh token that comes a second time has been copied by somebody: nobody can tell
        which of the two is the thief, so the whole family ends (RFC 9700 §4.14.2).
        """
        found = self._refresh.get(token)
        if found is None or found.family.request.client_id != client_id:
            raise OAuthError("invalid_grant", "The refresh token is not known.")
        if found.used:
            found.family.ended = True
        if found.family.ended:
            raise OAuthError("invalid_grant", "The refresh token was revoked.")
        scopes = scope_words.parse(scope) if scope else found.family.scopes
        if scopes is None or not scopes <= found.family.scopes:
            raise OAuthError("invalid_scope", "The scope is more than was granted.")
        found.used = True
        return self._answer(found.family, scopes)

    def revoke(self, token: str, *, client_id: str) -> None:
        """End the token's whole family; an unknown token is no error (RFC 7009 §2.2)."""
        found = self._refresh.get(token) or self._access.get(token)
        if found is not None and found.family.request.client_id == client_id:
            found.family.ended = True

    def access(self, token: str) -> Access | None:
        """Return what a live access token stands for."""
        found = self._access.get(token)
        if found is None or found.family.ended or found.expires_at <= self._clock():
            return None
        return found

    def _answer(self, family: Family, scopes: frozenset[str]) -> dict[str, Any]:
        access, refresh = (TOKEN_PREFIX + secrets.token_urlsafe(32) for _ in range(2))
        self._forget_expired()
        self._access[access] = Access(family, scopes, self._clock() + self.access_seconds)
        self._refresh[refresh] = _Refresh(family)
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(self.access_seconds),
            "refresh_token": refresh,
            "scope": scope_words.join(scopes),
        }

    def _forget_expired(self) -> None:
        now = self._clock()
        self._access = {t: a for t, a in self._access.items() if a.expires_at > now}
