"""Dynamic client registration: the request, and what comes of the answer (RFC 7591 §2, §3.2).

The client is registered for one redirect URI of one issuer and is never shown to another (CL-08).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, get_args

from ...wire.routes import CLIENT_NAME
from ..egress.origin import split_url
from ..secret import Secret
from .errors import OAuthRefused, ProviderUnreachable
from .profile import Profile, TokenAuth
from .records import OAuthApp
from .rfc8414 import Endpoints
from .strict_json import loads_object

_TEXT = re.compile(r"[\x20-\x7e]{1,4096}")  # RFC 6749 §A.1, §A.2
_METHODS: tuple[TokenAuth, ...] = ("none", "client_secret_basic", "client_secret_post")


@dataclass(frozen=True)
class Registered:
    """A client that the provider made for us."""

    app: OAuthApp
    secret_expires_at: float
    """Seconds since the epoch; 0: never (§3.2.1)."""


def request(profile: Profile, endpoints: Endpoints, redirect_uri: str) -> dict[str, Any]:
    """Return the metadata of the client that is asked for (§2).

    A redirect URI on this machine belongs to a native application, any other to a web one (OpenID
    Connect Registration §2). Raises `OAuthRefused` when the provider does not register clients.
    """
    if not endpoints.registration:
        raise OAuthRefused(profile.title, "registration_refused")
    origin, _ = split_url(redirect_uri)
    return {
        "client_name": CLIENT_NAME,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "native" if origin.loopback else "web",
        "token_endpoint_auth_method": _method(endpoints),
    }


def _method(endpoints: Endpoints) -> TokenAuth:
    """Return the method that needs the least secret; what nobody announced is Basic (RFC 8414)."""
    announced = endpoints.token_auth or {"client_secret_basic"}
    return next((method for method in _METHODS if method in announced), "client_secret_basic")


def registered(profile: Profile, status: int, body: bytes) -> Registered:
    """Return the client in the answer (§3.2.1). Raises `OAuthRefused`, `ProviderUnreachable`."""
    if status >= 500 or status == 429:
        raise ProviderUnreachable(profile.title)
    try:
        answer = loads_object(body)
    except ValueError:
        slug = "not_json" if status in (200, 201) else "registration_refused"
        raise OAuthRefused(profile.title, slug) from None
    if status not in (200, 201):
        wrong_uri = answer.get("error") == "invalid_redirect_uri"
        slug = "invalid_redirect_uri" if wrong_uri else "registration_refused"
        raise OAuthRefused(profile.title, slug)
    return _client(profile, answer)


def _client(profile: Profile, answer: dict[str, Any]) -> Registered:
    client_id, secret = answer.get("client_id"), answer.get("client_secret") or ""
    method = answer.get("token_endpoint_auth_method", "")
    expires = answer.get("client_secret_expires_at", 0)
    usable = (
        _is_text(client_id)
        and (secret == "" or _is_text(secret))
        and method in get_args(TokenAuth)
        and isinstance(expires, int | float)
        and not isinstance(expires, bool)
    )
    if not usable or not isinstance(client_id, str):
        raise OAuthRefused(profile.title, "not_json")
    if not secret:
        method = "none"
    app = OAuthApp(
        profile.name, profile.issuer, client_id, Secret(secret) if secret else None, method
    )
    return Registered(app, float(expires) if secret else 0.0)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and _TEXT.fullmatch(value) is not None
