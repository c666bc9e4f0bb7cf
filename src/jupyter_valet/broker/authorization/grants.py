"""The two grants, on Authlib's: what is stored, and when it is good (AS-02, AS-03).

One event loop runs one of these from its beginning to its end, and the vault refuses the step of
another process, so a code or a refresh token is used once, whoever comes with it at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidGrantError,
    InvalidScopeError,
    grants,
)

from ...wire.clients import ACCESS_PREFIX, CODE_PREFIX, REFRESH_PREFIX, digest
from ..clients import scopes as known
from ..vault import Conflict
from . import tokens
from .family import ACCESS_SECONDS, Family
from .request import Form
from .rfc8707 import InvalidTargetError

if TYPE_CHECKING:
    from .server import Server

Step = Callable[[str, str, str, float], Family]
"""Makes the family with an access and a refresh token, of a scope, as of a time."""


class _Issuing:
    """What both grants share: tokens of a family, for the endpoint that the family is for."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]
    server: Server
    request: Any

    def _check_resource(self, family: Family) -> None:
        """Refuse a token for another resource than the code was for; it may be left out."""
        resource = self.request.payload.data.get("resource")
        if family.resource != self.server.resource or resource not in (None, family.resource):
            raise InvalidTargetError

    def _issue(self, family: Family, scope: str, handle: str, step: Step) -> dict[str, Any]:
        """Return new tokens, once they are stored."""
        access = tokens.new(ACCESS_PREFIX, family.id)
        refresh = tokens.new(REFRESH_PREFIX, handle)
        now = self.server.clock()
        try:
            self.server.families.save(step(access, refresh, scope, now))
        except Conflict:  # somebody was quicker with the same code or token: one of both stole it
            self.server.replayed(family)
            raise InvalidGrantError from None
        return {
            "token_type": "Bearer",
            "access_token": access,
            "expires_in": int(min(ACCESS_SECONDS, family.until - now)),
            "refresh_token": refresh,
            "scope": scope,
        }

    def authenticate_user(self, family: Family) -> str:
        """Return whose sign-in it is."""
        return family.principal

    def save_token(self, _token: dict[str, Any]) -> None:
        """Do nothing: `_issue` has stored it."""


class CodeGrant(_Issuing, grants.AuthorizationCodeGrant):  # type: ignore[misc]
    """A code, and the first tokens (RFC 6749 §4.1)."""

    def validate_authorization_request(self) -> str:
        """Return the redirect URI of a request that may be shown to the person."""
        redirect_uri: str = super().validate_authorization_request()
        if self.request.payload.data.get("resource") != self.server.resource:
            raise InvalidTargetError(redirect_uri=redirect_uri)
        return redirect_uri

    def generate_authorization_code(self) -> str:
        """Return a new code, which leads to a family of its own."""
        return tokens.new(CODE_PREFIX, tokens.new_handle())

    def save_authorization_code(self, code: str, request: Form) -> None:
        """Begin a family. Only a person's approval gets here (BP-01, BP-06)."""
        data, now = request.payload.data, self.server.clock()
        self.server.families.begin(
            Family(
                id=tokens.id_of(tokens.key(CODE_PREFIX, code)),
                principal=request.user,
                client_id=request.client.client_id,
                title=request.client.title(data["redirect_uri"]),
                redirect_uri=data["redirect_uri"],
                resource=self.server.resource,
                scopes=request.scopes,
                challenge=data["code_challenge"],
                code=digest(code),
                made_at=now,
                until=request.until,
            )
        )

    def query_authorization_code(self, code: str, client: Any) -> Family | None:
        """Return the family of a code; a code that was used already ends it (RFC 6749 §4.1.2)."""
        family = self.server.families.led_to(CODE_PREFIX, code)
        if family is None or not family.is_code(code) or not family.check_client(client):
            return None
        if family.redeemed:
            self.server.replayed(family)
            return None
        return family if self.server.clock() < family.until else None

    def validate_token_request(self) -> None:
        """Check the code, its redirect URI, its verifier, and the resource."""
        super().validate_token_request()
        self._check_resource(self.request.authorization_code)

    def generate_token(self, scope: str = "", **_: Any) -> dict[str, Any]:
        """Return the first tokens."""
        family = self.request.authorization_code
        handle = tokens.key(CODE_PREFIX, self.request.form["code"])
        return self._issue(family, scope, handle, family.issued)

    def delete_authorization_code(self, _family: Family) -> None:
        """Do nothing: the family remembers its code, so that a replay is seen."""


class RefreshGrant(_Issuing, grants.RefreshTokenGrant):  # type: ignore[misc]
    """New tokens for the refresh token, which is good once (RFC 9700 §4.14.2)."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Family | None:
        """Return the family of a refresh token; one that was used already ends it.

        Unless its answer may have been lost on the way: nothing that came for it was used yet.
        """
        family = self.server.families.led_to(REFRESH_PREFIX, refresh_token)
        if family is None or not family.check_client(self.request.client):
            return None
        now = self.server.clock()
        if not (family.is_refresh(refresh_token) or family.may_come_again(refresh_token, now)):
            self.server.replayed(family)
            return None
        return family if now < family.refresh_until else None

    def validate_token_request(self) -> None:
        """Check the token, the scope that is asked for, and the resource."""
        super().validate_token_request()
        self._check_resource(self.request.refresh_token)

    def _validate_token_scope(self, token: Family) -> None:
        """Refuse a scope that the person did not tick, nor one that holds it (RS-10)."""
        asked = (self.request.payload.scope or "").split()
        if not all(known.covers(token.scopes, scope) for scope in asked):
            raise InvalidScopeError

    def generate_token(self, scope: str = "", **_: Any) -> dict[str, Any]:
        """Return new tokens; the refresh token keeps all that was ticked (RFC 6749 §6)."""
        family = self.request.refresh_token
        token = self.request.form["refresh_token"]
        handle = tokens.key(REFRESH_PREFIX, token)
        return self._issue(family, scope, handle, partial(family.refreshed, token))

    def revoke_old_credential(self, _family: Family) -> None:
        """Do nothing: the new one has taken its place."""
