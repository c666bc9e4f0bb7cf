"""Authorization server metadata, and OpenID Connect Discovery which looks the same (RFC 8414 §3).

The document is input from outside: it is used only if it names the very issuer that it was asked
of, and only with endpoints that the profile could have had itself (L10, R149, R150, R160).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..egress.origin import split_url
from .profile import Profile

_OAUTH = "/.well-known/oauth-authorization-server"
_OIDC = "/.well-known/openid-configuration"

_ITS_OWN = ("authorization_endpoint", "token_endpoint", "device_authorization_endpoint")
"""Where people sign in, and codes are issued and redeemed."""


class BadMetadata(Exception):
    """The metadata cannot be used; `slug` is a key of `errors.WORDS`."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        super().__init__(slug)


@dataclass(frozen=True)
class Endpoints:
    """Where an authorization server is, and the little that a client needs to know of it."""

    issuer: str
    authorization: str
    token: str
    userinfo: str = ""
    revocation: str = ""
    iss_required: bool = False
    token_auth: frozenset[str] = frozenset()
    """Client authentication methods of the token endpoint; empty when not announced."""
    scopes: frozenset[str] = frozenset()
    device: str = ""
    """Where a code to sign in with is asked for (RFC 8628); empty: nowhere."""
    registration: str = ""
    """Where a client registers itself (RFC 7591); empty: nowhere."""
    reads_client_documents: bool = False
    """Whether a client id may be the URL of a document about the client."""


def static(profile: Profile) -> Endpoints:
    """Return the endpoints that `profile` has itself, without asking anybody."""
    return Endpoints(
        issuer=profile.issuer,
        authorization=profile.authorization_endpoint,
        token=profile.token_endpoint,
        userinfo=profile.userinfo_endpoint,
        revocation=profile.revocation_endpoint,
        device=profile.device.endpoint,
        iss_required=profile.quirks.iss == "required",
    )


def candidates(issuer: str) -> list[str]:
    """Return where metadata of `issuer` may be, in the order to try (RFC 8414 §3.1, §5, CL-02)."""
    origin, target = split_url(issuer)
    path = target.rstrip("/")
    found = [origin.url(_OAUTH + path), origin.url(_OIDC + path), origin.url(path + _OIDC)]
    return list(dict.fromkeys(found))


def endpoints(profile: Profile, document: dict[str, Any]) -> Endpoints:
    """Return the endpoints that `document` names; what the profile says itself comes first.

    Raises `BadMetadata` for another issuer (§3.3, exact comparison), endpoints that the profile
    may not reach, and, where the browser brings the answer, a server that does not announce PKCE
    with S256 (CL-10) or codes.
    """
    if document.get("issuer") != profile.issuer:
        raise BadMetadata("issuer_mismatch")
    if profile.flow == "code":
        _check_code_flow(document)
    announces_iss = document.get("authorization_response_iss_parameter_supported") is True
    return Endpoints(
        issuer=profile.issuer,
        authorization=_endpoint(
            profile, document, "authorization_endpoint", required=profile.flow == "code"
        ),
        token=_endpoint(profile, document, "token_endpoint", required=True),
        userinfo=profile.userinfo_endpoint or _endpoint(profile, document, "userinfo_endpoint"),
        revocation=profile.revocation_endpoint
        or _endpoint(profile, document, "revocation_endpoint"),
        iss_required=announces_iss or profile.quirks.iss == "required",
        token_auth=_strings(document, "token_endpoint_auth_methods_supported"),
        scopes=_strings(document, "scopes_supported"),
        device=profile.device.endpoint
        or _endpoint(profile, document, "device_authorization_endpoint"),
        registration=_endpoint(profile, document, "registration_endpoint"),
        reads_client_documents=document.get("client_id_metadata_document_supported") is True,
    )


def _check_code_flow(document: dict[str, Any]) -> None:
    if "S256" not in _strings(document, "code_challenge_methods_supported"):
        raise BadMetadata("no_pkce")
    if "code" not in _strings(document, "response_types_supported", default=("code",)):
        raise BadMetadata("bad_metadata")


def _endpoint(
    profile: Profile, document: dict[str, Any], name: str, *, required: bool = False
) -> str:
    """Return an endpoint; of a loopback profile on loopback, of any other not by name either."""
    url = document.get(name)
    if url is None and not required:
        return ""
    try:
        origin, _ = split_url(url)  # type: ignore[arg-type]
    except (ValueError, AttributeError, TypeError):
        raise BadMetadata("bad_metadata") from None
    if origin.loopback != profile.loopback:
        raise BadMetadata("bad_metadata")
    if name in _ITS_OWN and not profile.may_be_at(origin):
        raise BadMetadata("bad_metadata")
    return str(url)


def _strings(
    document: dict[str, Any], name: str, *, default: tuple[str, ...] = ()
) -> frozenset[str]:
    value = document.get(name, default)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise BadMetadata("bad_metadata")
    return frozenset(value)
