"""Sign in with Jupyter: what the server forwards to the broker, and what it shows.

Methods of the control channel (params -> result); `origin` is the public origin with `base_url`,
and the issuer is `PAGE_ISSUER` below it::

    authorization.open     {"principal", "origin", "query"}             -> AskedFacts
    authorization.approve  {"principal", "origin", "nonce", "choices"}  -> {"location"}
    authorization.decline  {"principal", "origin", "nonce"}             -> {"location"}
    authorization.token    {"origin", "type", "body"}    -> {"status", "body": JSON text}
    authorization.register {"origin", "type", "body"}    -> {"status", "body": JSON text}
    authorization.revoke   {"origin", "type", "body"}    -> {"status", "body": JSON text}
    programs.end           {"principal", "program", "nonce"}            -> {}

The connections page has its `ProgramView`s as "programs".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .clients import PAGE_ISSUER, PAGE_MCP, SCOPES
from .views import _View

OPEN = "authorization.open"
APPROVE = "authorization.approve"
DECLINE = "authorization.decline"
TOKEN = "authorization.token"
REGISTER = "authorization.register"
REVOKE = "authorization.revoke"
PROGRAMS_END = "programs.end"

MAX_BODY = 64 * 1024
"""Bytes of a form or a registration."""


def metadata(origin: str, *, client_documents: bool = True) -> dict[str, Any]:
    """Return the metadata of the issuer at `origin` (RFC 8414 §2, AS-01, AS-05, AS-07).

    `client_documents` says whether programs may describe themselves by a document (AS-04).
    """
    issuer = origin + PAGE_ISSUER
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
        "revocation_endpoint": f"{issuer}/revoke",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": client_documents,
        "protected_resources": [origin + PAGE_MCP],
    }


@dataclass(frozen=True)
class ScopeChoice(_View):
    """A box of the consent page."""

    name: str
    words: str
    ticked: bool = True
    narrower: bool = False
    """Whether it is a part of what was asked for, to be ticked instead."""
    had: bool = False
    """Whether the person has let this program have it before."""


@dataclass(frozen=True)
class AskedFacts(_View):
    """What the consent page shows. All that a program says of itself is shown as its own word."""

    program: str
    client_id: str
    host: str
    """Who vouches for the client id, by its document; empty: nobody does."""
    redirect_uri: str
    redirect_host: str
    kind: str
    """`web`, `loopback` or `app`: where the redirect goes."""
    claimable: bool
    """Whether any program of the browser's machine could have asked in this one's name."""
    nonce: str = ""
    source: str = ""
    """The CSP source expression of the redirect."""
    scopes: list[ScopeChoice] = field(default_factory=list)
    known: bool = False
    """Whether all that is asked for was approved before, for this very program."""
    grants: list[str] = field(default_factory=list)
    """What it was granted before, in words: it goes on with that."""
    problem: str = ""
    """Not empty: the request is unfit; `location` tells the program so, if the person likes."""
    location: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AskedFacts:
        """Build the facts, with their boxes, from decoded JSON."""
        boxes = [ScopeChoice.from_json(box) for box in data.get("scopes", [])]
        return super().from_json({**data, "scopes": boxes})


@dataclass(frozen=True)
class ProgramView(_View):
    """A program that a person is signed in with. Times are in seconds since the epoch."""

    id: str
    title: str
    redirect_uri: str
    scopes: list[str]
    """In words."""
    sign_ins: int
    made_at: float
    used_at: float
    until: float
    grants: list[str] = field(default_factory=list)
    """What it may do with connections, in words."""
