"""Authlib's authorization server, for the one issuer that a request was sent to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    AuthorizationServer,
    InvalidScopeError,
    OAuth2Error,
)
from authlib.oauth2.rfc9207 import IssuerParameter  # type: ignore[import-untyped]

from ...wire.clients import PAGE_ISSUER, PAGE_MCP
from ..clients import scopes as known
from .endpoints import RegistrationEndpoint, Revocation
from .families import Families
from .family import Family
from .grants import CodeGrant, RefreshGrant
from .registration import Registration
from .registry import Registry
from .request import Form, Reply
from .rfc7636 import S256

Note = Callable[[str, Family], None]


@dataclass(frozen=True)
class Books:
    """What all issuers share."""

    registry: Registry
    families: Families
    note: Note
    """Told of a sign-in that is over, and why."""
    clock: Callable[[], float]


class Server(AuthorizationServer):  # type: ignore[misc]
    """`origin` is the public origin with `base_url`: one server may be known by several."""

    def __init__(self, books: Books, origin: str) -> None:
        super().__init__()
        self.registry, self.families = books.registry, books.families
        self.clock, self._note = books.clock, books.note
        self.issuer = origin + PAGE_ISSUER
        self.resource = origin + PAGE_MCP
        self.register_grant(CodeGrant, [S256(required=True)])
        self.register_grant(RefreshGrant)
        self.register_endpoint(RegistrationEndpoint(self))
        self.register_endpoint(Revocation)
        self._iss = _Issuer(self.issuer)
        self._iss(self)

    # What happened to a sign-in --------------------------------------------------------------

    def replayed(self, family: Family) -> None:
        """End a family whose code or refresh token was shown twice: somebody has stolen it."""
        self._end(family, "client_app.replayed")

    def ended(self, family: Family) -> None:
        """End a family because its program asked for it."""
        self._end(family, "client_app.ended")

    def _end(self, family: Family, action: str) -> None:
        self.families.end(family)
        self._note(action, family)

    def error(self, request: Form, error: OAuth2Error, redirect_uri: str) -> str:
        """Return where an error goes: to the program, with `state` and `iss` (AS-05)."""
        error.redirect_uri, error.state = redirect_uri, request.payload.state
        reply: Reply = self.handle_error_response(request, error)
        self._iss.add_issuer_parameter(self, reply)
        return reply.location

    # What Authlib asks -----------------------------------------------------------------------

    def query_client(self, client_id: str) -> Registration | None:
        """Return a program that is known."""
        return self.registry.get(client_id)

    def validate_requested_scope(self, scope: str | None) -> None:
        """Refuse a request for scopes of which none is ours; the others are not given anyway."""
        if scope and not known.parse(scope):
            raise InvalidScopeError

    def create_oauth2_request(self, request: Form) -> Form:
        """Return the request: it has the form already."""
        return request

    def create_json_request(self, request: Form) -> Form:
        """Return the request: it has the form already."""
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Reply:
        """Return the reply as a value; who asked sends it."""
        return Reply(status, body, list(headers))

    def send_signal(self, *_: Any, **__: Any) -> None:
        """Send none."""


class _Issuer(IssuerParameter):  # type: ignore[misc]
    """RFC 9207: every answer that goes through a browser says whose it is."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        """Return the issuer."""
        return self._issuer
