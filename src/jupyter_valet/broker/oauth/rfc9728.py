"""Protected resource metadata: which authorization server speaks for an MCP server (RFC 9728).

The document comes from outside. It is read only at the server's own origin, and believed only if it
describes that very server (§3.3, §7.3, R148).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..egress.origin import split_url

_WELL_KNOWN = "/.well-known/oauth-protected-resource"
_PARAMETER = re.compile(r'([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', re.IGNORECASE)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")  # RFC 6749 §3.3
_MOST_SCOPES = 64


class BadResource(ValueError):
    """The document does not describe this server, or is not one that can be used."""


@dataclass(frozen=True)
class Challenge:
    """What a 401 or 403 said in `WWW-Authenticate` (§5.1, RFC 6750 §3)."""

    resource_metadata: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resource:
    """A server as its metadata describes it."""

    resource: str
    """What tokens for it must be asked for (RFC 8707)."""
    issuer: str
    scopes: tuple[str, ...] = ()


def challenge(www_authenticate: str) -> Challenge:
    """Read the parameters that matter; of one that is malformed nothing is kept."""
    found = {m[1].lower(): m[2] or m[3] or "" for m in _PARAMETER.finditer(www_authenticate)}
    scopes = [name for name in found.get("scope", "").split() if _SCOPE.fullmatch(name)]
    return Challenge(found.get("resource_metadata", ""), tuple(scopes[:_MOST_SCOPES]))


def candidates(url: str, challenged: Challenge) -> list[str]:
    """Return where the metadata of the server at `url` may be, in the order to try (§3.1, CL-01).

    The place that the challenge names comes first if it is on the server's own origin; a server has
    no business to send us elsewhere (R150).
    """
    origin, target = split_url(url)
    path = target.partition("?")[0].rstrip("/")
    told = challenged.resource_metadata
    places = [told] if told and _origin(told) == str(origin) else []
    places += [origin.url(_WELL_KNOWN + path), origin.url(_WELL_KNOWN)]
    return list(dict.fromkeys(places))


def _origin(url: str) -> str:
    try:
        return str(split_url(url)[0])
    except ValueError:
        return ""


def resource(url: str, document: dict[str, Any]) -> Resource:
    """Return what `document` says of the server at `url`.

    Its `resource` must be that server, or the part of the same origin that holds it. Of several
    authorization servers the first is taken. Raises `BadResource`.
    """
    named = document.get("resource")
    if not isinstance(named, str) or not _holds(named, url):
        raise BadResource
    issuers = document.get("authorization_servers")
    if not isinstance(issuers, list) or not issuers or not isinstance(issuers[0], str):
        raise BadResource
    if not _origin(issuers[0]):
        raise BadResource
    return Resource(named, issuers[0], _scopes(document.get("scopes_supported")))


def _holds(named: str, url: str) -> bool:
    try:
        (origin, path), (own_origin, own_path) = split_url(named), split_url(url)
    except ValueError:
        return False
    if origin != own_origin or "?" in path:
        return False
    return f"{own_path.partition('?')[0].rstrip('/')}/".startswith(f"{path.rstrip('/')}/")


def _scopes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    names = [name for name in value if isinstance(name, str) and _SCOPE.fullmatch(name)]
    return tuple(dict.fromkeys(names))[:_MOST_SCOPES]
