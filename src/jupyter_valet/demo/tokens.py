"""The token and revocation endpoints over HTTP (RFC 6749 §5, RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from .clients import CLIENTS
from .grants import Grants, OAuthError
from .id_token import Signer

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}

Form = dict[str, str]


class TokenEndpoint:
    """Turns codes and refresh tokens into tokens, and ends them."""

    def __init__(self, issuer: Callable[[], str], grants: Grants, signer: Signer) -> None:
        self._issuer = issuer
        self._grants = grants
        self._signer = signer

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints' routes."""
        return [web.post("/token", self.token), web.post("/revoke", self.revoke)]

    async def token(self, request: web.Request) -> web.Response:
        """POST /token (RFC 6749 §4.1.3 and §6)."""
        try:
            return web.json_response(self._token(await _form(request)), headers=_NO_STORE)
        except OAuthError as error:
            return _error(error)

    async def revoke(self, request: web.Request) -> web.Response:
        """POST /revoke: 200 also for a token that nobody knows (RFC 7009 §2.2)."""
        try:
            form = await _form(request)
            self._grants.revoke(_need(form, "token"), client_id=form["client_id"])
        except OAuthError as error:
            return _error(error)
        return web.Response(headers=_NO_STORE)

    def _token(self, form: Form) -> dict[str, Any]:
        match _need(form, "grant_type"):
            case "authorization_code":
                return self._code(form)
            case "refresh_token":
                return self._grants.refresh(
                    _need(form, "refresh_token"),
                    client_id=form["client_id"],
                    scope=form.get("scope", ""),
                )
        raise OAuthError("unsupported_grant_type", "Only codes and refresh tokens are taken.")

    def _code(self, form: Form) -> dict[str, Any]:
        answer, family = self._grants.redeem_code(
            _need(form, "code"),
            client_id=form["client_id"],
            redirect_uri=_need(form, "redirect_uri"),
            verifier=_need(form, "code_verifier"),
        )
        if "openid" in family.scopes:
            answer["id_token"] = self._signer.id_token(
                self._issuer(),
                form["client_id"],
                family.person,
                family.request.nonce,
                answer["expires_in"],
            )
        return answer


async def _form(request: web.Request) -> Form:
    """Return the posted form of a known client, each parameter once (RFC 6749 §3.2)."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "The body must be a form.")
    posted = await request.post()
    if len(posted) != len(set(posted)):
        raise OAuthError("invalid_request", "A parameter is repeated.")
    form = {name: value for name, value in posted.items() if isinstance(value, str)}
    if "Authorization" in request.headers or form.get("client_id") not in CLIENTS:
        raise OAuthError("invalid_client", "The client is not known by these means.", 401)
    return form


def _need(form: Form, name: str) -> str:
    if not form.get(name):
        raise OAuthError("invalid_request", f"The parameter {name} is missing.")
    return form[name]


def _error(error: OAuthError) -> web.Response:
    headers = {**_NO_STORE, **({"WWW-Authenticate": "Basic"} if error.status == 401 else {})}
    body = {"error": error.code, "error_description": error.description}
    return web.json_response(body, status=error.status, headers=headers)
