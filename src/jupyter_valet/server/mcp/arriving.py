"""Who is at Jupyter's port: what of a request decides, and what must not (pure where it can be).

Only the `Authorization` header of this very request counts. A browser sends cookies along on its
own, whoever asked it to, and what is in a URL ends up in logs (RS-11).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tornado.httputil import HTTPServerRequest

from ...wire.clients import OURS

METHODS = ("GET", "POST", "DELETE")
"""Those of streamable HTTP: open a stream, send a message, end a session."""

_IN_QUERY = frozenset({"token", "access_token", "authorization", "capability"})
_COOKIE = ("Cookie",)


@dataclass(frozen=True)
class Shown:
    """What a client put into its `Authorization` header."""

    scheme: str = ""
    token: str = field(default="", repr=False)

    @property
    def is_bearer(self) -> bool:
        """Whether it is a bearer token (RFC 6750 §2.1)."""
        return self.scheme == "bearer" and bool(self.token)

    @property
    def may_be_jupyters(self) -> bool:
        """Whether the server's identity provider is to be asked: not for tokens of our own."""
        return self.scheme in ("bearer", "token") and not self.token.startswith(OURS)


def said_issuer(token: str) -> str:
    """Return whose a JWT says that it is; empty for all else. Nothing is believed because of it."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return ""
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else ""


def is_of_issuer(token: str, issuers: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether a token seems to be of a configured issuer: its JWT, or one with its prefix."""
    prefixes = (str(entry.get("token_prefix") or "") for entry in issuers.values())
    return said_issuer(token) in issuers or token.startswith(tuple(filter(None, prefixes)))


class Refused(Exception):
    """A request that is none, with the status that says so and why, in words of ours."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what


def shown(request: HTTPServerRequest) -> Shown:
    """Return what the client shows; nothing when it shows nothing.

    Raises `Refused` for a token in the query, and for more than one header.
    """
    if _IN_QUERY & {name.lower() for name in request.query_arguments}:
        raise Refused(400, "a token in the URL")
    headers = request.headers.get_list("Authorization")
    if len(headers) > 1:
        raise Refused(400, "more than one Authorization header")
    if not headers:
        return Shown()
    scheme, _, token = headers[0].partition(" ")
    return Shown(scheme.lower(), token.strip(" \t"))


def announced(headers: Mapping[str, str]) -> int:
    """Return how long the body shall be; 0 where that is not said, or not in a number."""
    length = headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def forget_cookies(request: HTTPServerRequest) -> None:
    """Make sure that no cookie authenticates: whoever looks at the request finds none."""
    for name in _COOKIE:
        request.headers.pop(name, None)
    request.__dict__.pop("_cookies", None)


def origin_allowed(headers: Mapping[str, str], allowed: Iterable[str]) -> bool:
    """Tell whether a browser's script may be where this comes from (PS-05).

    Programs send no `Origin`. Scripts of the Jupyter origin are notebooks' output, which must not
    use what was given to programs; their `GET` has no `Origin` either (Fetch, §3.2), but says that
    it is of the same origin (Fetch Metadata, §2.3).
    """
    origin = headers.get("Origin")
    if origin is None:
        return headers.get("Sec-Fetch-Site", "none") == "none"
    return origin in allowed
