"""What a genuine token is good for: here, now, by whom, for what (RFC 9068 §4, RFC 7662 §4).

Pure. It says nothing about why a token is refused, for whoever shows it has no business to know.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from typing import Any

from ....wire.control import OWNER
from ...client import PREFIX, Client
from ..authenticator import Proven, Refused
from ..scopes import parse
from .settings import Issuer

SKEW = 60.0
"""Seconds by which the issuer's clock and ours may differ."""

_LONGEST_NAME = 80


def proven(
    issuer: Issuer,
    claims: Mapping[str, Any],
    *,
    audience: str,
    person: str,
    now: float,
) -> Proven:
    """Return who the claims stand for. Raises `Refused`.

    `audience` is the endpoint's URI where configuration fixes it; `person` whom this server belongs
    to, empty where it belongs to several.
    """
    if claims.get("iss", issuer.url) != issuer.url or "cnf" in claims:
        raise Refused  # bound to a key (RFC 9449 §7.1, RFC 8705 §3): as a bearer token it is stolen
    _check_audience(claims, issuer.audiences | ({audience} - {""}))
    until = _checked_times(claims, now)
    client_id = _text(claims.get("client_id") or claims.get("azp"))
    subject = _text(claims.get("sub"))
    if not subject:
        raise Refused
    return Proven(
        _principal(issuer, claims, person),
        Client(
            id=_id(issuer.url, client_id, subject),
            name=_name(client_id) or "a program",
            scopes=scopes(issuer, claims),
            expires_at=until,
        ),
    )


def scopes(issuer: Issuer, claims: Mapping[str, Any]) -> frozenset[str]:
    """Return what the token is for in our scopes: those it names, or what its own stand for."""
    held = {*_words(claims.get("scope")), *_words(claims.get("scp"))}
    if issuer.scopes is None:
        return parse(" ".join(held))
    return frozenset().union(*(issuer.scopes.get(scope, frozenset()) for scope in held))


def _check_audience(claims: Mapping[str, Any], ours: Collection[str]) -> None:
    """Refuse a token that is for somebody else, or for anybody (RS-05, BP-08)."""
    named = claims.get("aud")
    audiences = [named] if isinstance(named, str) else named
    if not isinstance(audiences, list) or not any(
        isinstance(audience, str) and audience in ours for audience in audiences
    ):
        raise Refused


def _checked_times(claims: Mapping[str, Any], now: float) -> float:
    """Return when it ends, the clocks' difference included (RFC 7519 §4.1.4 f.)."""
    expires = _number(claims.get("exp"))
    if expires is None or expires + SKEW <= now:
        raise Refused
    for name in ("nbf", "iat"):
        if name in claims:
            since = _number(claims[name])
            if since is None or since - SKEW > now:
                raise Refused
    return expires + SKEW


def _principal(issuer: Issuer, claims: Mapping[str, Any], person: str) -> str:
    """Return the person, who must be one of those whom the configuration lets in."""
    claim = issuer.principal_claim
    subject = _text(claims.get(claim))
    if not subject or (claim == "email" and claims.get("email_verified") is not True):
        raise Refused
    if issuer.subjects is None:
        # A whole company may have accounts there: only a server of one named person can tell.
        user = subject if person not in ("", OWNER) else ""
    else:
        user = issuer.subjects.get(subject, "")
    if not user:
        raise Refused
    if person == OWNER:
        return OWNER
    principal = f"user:{user}"
    if person not in ("", principal):
        raise Refused
    return principal


def _id(issuer: str, client_id: str, subject: str) -> str:
    key = json.dumps([issuer, client_id, subject]).encode()
    return f"{PREFIX}app:{hashlib.sha256(key).hexdigest()[:32]}"


def _name(client_id: str) -> str:
    """Return what people are told of a client: its id, for a token holds no better name."""
    return "".join(filter(str.isprintable, client_id))[:_LONGEST_NAME]


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 512 else ""


def _number(value: Any) -> float | None:
    """Return a number of seconds; None for all else, infinity and `true` among it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
