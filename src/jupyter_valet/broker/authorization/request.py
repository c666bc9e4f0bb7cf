"""Requests and replies in the form that Authlib wants, whatever carried them (pure)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    InvalidRequestError,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload  # type: ignore[import-untyped]

from ..oauth.strict_json import loads_object

MOST_FIELDS = 32


class Form(OAuth2Request):  # type: ignore[misc]
    """A request whose parameters are known, each at most once.

    Raises Authlib's `InsecureTransportError` for a URL that is neither https nor of this machine.
    """

    scopes: tuple[str, ...] = ()
    """On an approval: what the person ticked."""
    until: float = 0.0
    """On an approval: the end of the sign-in that they chose."""

    def __init__(self, method: str, uri: str, fields: dict[str, Any]) -> None:
        super().__init__(method, uri)
        self.payload = BasicOAuth2Payload(fields)
        self._fields = fields

    @property
    def form(self) -> dict[str, Any]:
        """The parameters of the body."""
        return self._fields

    @property
    def args(self) -> dict[str, Any]:
        """The parameters of the query."""
        return self._fields


def fields(text: str) -> dict[str, str]:
    """Return form parameters; those without a value are left out (RFC 6749 §3.1).

    Raises Authlib's `InvalidRequestError` for one that comes twice, and for what is no form.
    """
    try:
        pairs = parse_qsl(text, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise InvalidRequestError("The parameters cannot be read.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidRequestError("A parameter comes twice.")
    return found


def members(text: str) -> dict[str, Any]:
    """Return the members of a JSON object. Raises Authlib's `InvalidRequestError`."""
    try:
        return loads_object(text.encode())
    except ValueError:
        raise InvalidRequestError("The body is no JSON object.") from None


@dataclass
class Reply:
    """What Authlib answers."""

    status: int
    body: Any
    headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def location(self) -> str:
        """Where to redirect to; empty: nowhere."""
        return next((value for name, value in self.headers if name == "Location"), "")

    @location.setter
    def location(self, value: str) -> None:
        self.headers = [(n, v) for n, v in self.headers if n != "Location"]
        self.headers.append(("Location", value))

    def to_json(self) -> dict[str, Any]:
        """Return what the server answers with, over the control channel."""
        return {"status": self.status, "body": json.dumps(self.body)}
