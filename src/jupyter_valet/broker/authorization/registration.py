"""A program as it registered, or as its document says; all of it is the program's own word."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from ..client import PREFIX
from . import redirects

LONGEST_NAME = 60
"""Characters of a program's name that people are shown."""

GRANT_TYPES = ("authorization_code", "refresh_token")


@dataclass(frozen=True)
class Registration:
    """A public client (AS-07). Authlib asks it the questions of its `ClientMixin`."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    application_type: str = ""
    document: bool = False
    """Whether the id is the URL of its metadata document (AS-04)."""
    made_at: float = 0.0
    fresh_until: float = 0.0
    """Until when its document need not be fetched again."""

    @property
    def subject(self) -> str:
        """The id by which grants know the program."""
        return subject(self.client_id)

    @property
    def host(self) -> str:
        """The host that vouches for the id; empty when nobody does."""
        return urlsplit(self.client_id).netloc if self.document else ""

    def title(self, redirect_uri: str) -> str:
        """Return the name for people, with what is known and not only claimed: where it is.

        Not the host of its document, which every program of the browser's machine may name.
        """
        return f"{self.name} ({redirects.parse(redirect_uri).host})"

    # What Authlib asks -----------------------------------------------------------------------

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether the program may be redirected to there (AS-02)."""
        return redirects.names(self.redirect_uris, redirect_uri)

    def get_default_redirect_uri(self) -> None:
        """Return none: every request names its own."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return what it may ask for: the person decides, whatever it registered for."""
        return scope or ""

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """Tell whether it may come without a secret: it has none."""
        return method == "none"

    def check_response_type(self, response_type: str) -> bool:
        """Tell whether it may ask for a code, and nothing else (OAuth 2.1 §4)."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether it may come with a code or a refresh token."""
        return grant_type in GRANT_TYPES

    # The vault -------------------------------------------------------------------------------

    def to_meta(self) -> dict[str, Any]:
        """Return what the vault keeps."""
        return asdict(self)

    @classmethod
    def from_meta(cls, meta: dict[str, Any]) -> Registration:
        """Read what the vault kept."""
        return cls(**{**meta, "redirect_uris": tuple(meta["redirect_uris"])})


def subject(client_id: str) -> str:
    """Return `client:app:` and what tells a client id from all others.

    Of 128 bits, for programs choose their ids: none must find one that has another's grants.
    """
    return f"{PREFIX}app:{record_id(client_id)}"


def record_id(client_id: str) -> str:
    """Return the name of a registration in the vault, of one form for every client id."""
    return hashlib.sha256(client_id.encode()).hexdigest()[:32]


def checked_redirects(uris: object, application_type: object = "") -> tuple[str, ...]:
    """Return the redirect URIs that a program registers. Raises `ValueError` (AS-02, CL-07).

    OpenID Connect Dynamic Client Registration §2: a web client has https alone, a native one its
    own scheme, or loopback; some native ones come back by way of their maker's server.
    """
    if (
        not isinstance(uris, Sequence)
        or isinstance(uris, str)
        or not 0 < len(uris) <= redirects.MOST
    ):
        raise ValueError("not a list of redirect URIs")
    if not all(isinstance(uri, str) for uri in uris):
        raise ValueError("not a list of redirect URIs")
    kinds = {redirects.parse(uri).kind for uri in uris}
    if application_type == "web" and kinds != {redirects.Kind.WEB}:
        raise ValueError("a web client has https alone")
    return tuple(uris)


def checked_name(name: object, fallback: str) -> str:
    """Return a name that can be shown, in one line."""
    text = " ".join(name.split()) if isinstance(name, str) else ""
    shown = "".join(filter(str.isprintable, text))[:LONGEST_NAME].strip()
    return shown or fallback
