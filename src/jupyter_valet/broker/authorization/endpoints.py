"""Registration (RFC 7591) and revocation (RFC 7009), on Authlib's endpoints."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidGrantError  # type: ignore[import-untyped]
from authlib.oauth2.rfc7009 import RevocationEndpoint  # type: ignore[import-untyped]
from authlib.oauth2.rfc7591 import (  # type: ignore[import-untyped]
    ClientMetadataClaims,
    ClientRegistrationEndpoint,
)
from authlib.oauth2.rfc7591.errors import (  # type: ignore[import-untyped]
    InvalidClientMetadataError,
    InvalidRedirectURIError,
)

from ...wire.clients import ACCESS_PREFIX, REFRESH_PREFIX
from . import tokens
from .family import Family
from .registration import GRANT_TYPES, Registration, checked_name, checked_redirects

if TYPE_CHECKING:
    from .server import Server

UNNAMED = "A program without a name"

_TEXTS = ("client_name", "application_type", "software_id", "software_version", "scope")
_LONGEST_TEXT = 2000


class Claims(ClientMetadataClaims):  # type: ignore[misc]
    """The metadata that are kept or told back; keys, logos and contacts are neither."""

    REGISTERED_CLAIMS = [
        "redirect_uris",
        "token_endpoint_auth_method",
        "grant_types",
        "response_types",
        *_TEXTS,
    ]

    def validate(self, now: Any = None, leeway: int = 0) -> None:
        """Check the metadata, and turn every program into a public client with both grants.

        RFC 7591 §3.2.1 lets the server put other values in the place of those it got. Raises
        Authlib's `InvalidRedirectURIError` and `InvalidClientMetadataError`.
        """
        for name in _TEXTS:
            text = self.setdefault(name, "")
            if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
                raise InvalidClientMetadataError(f"{name} must be a short text.")
        if self["application_type"] not in ("", "native", "web"):
            raise InvalidClientMetadataError("application_type must be native or web.")
        try:
            checked_redirects(self.get("redirect_uris"), self["application_type"])
        except ValueError:
            raise InvalidRedirectURIError(
                "A redirect URI must be https, loopback http, or of a program's own scheme."
            ) from None
        self["token_endpoint_auth_method"] = "none"  # noqa: S105 - a name
        self["grant_types"], self["response_types"] = list(GRANT_TYPES), ["code"]

    def get_registered_claims(self) -> dict[str, Any]:
        """Return what was kept, without what is empty."""
        return {name: self[name] for name in self.REGISTERED_CLAIMS if self[name]}


class RegistrationEndpoint(ClientRegistrationEndpoint):  # type: ignore[misc]
    """Takes any program that comes, within the limits of the registry (AS-06).

    A registration lets a program ask; what it then may do, a person says on the page.
    """

    server: Server

    def __init__(self, server: Server) -> None:
        super().__init__(server, [Claims])

    def authenticate_token(self, _request: Any) -> str:
        """Let everybody register, as programs that see this server for the first time must."""
        return "anybody"

    def get_server_metadata(self) -> dict[str, Any]:
        """Return nothing: `Claims` knows the rules."""
        return {}

    def generate_client_info(self, _request: Any) -> dict[str, Any]:
        """Return the id of a public client: it gets no secret (AS-07)."""
        return {
            "client_id": f"app-{uuid.uuid4().hex}",
            "client_id_issued_at": int(self.server.clock()),
        }

    def save_client(self, info: dict[str, Any], metadata: dict[str, Any], _request: Any) -> Any:
        """Know the program, by the id that `info` has or by another one."""
        registration = Registration(
            client_id=info["client_id"],
            name=checked_name(metadata.get("client_name"), UNNAMED),
            redirect_uris=tuple(metadata["redirect_uris"]),
            application_type=metadata.get("application_type", ""),
            made_at=self.server.clock(),
        )
        return self.server.registry.register(registration)

    def generate_client_registration_info(self, client: Any, _request: Any) -> dict[str, Any]:
        """Return the id that the program is known by."""
        return {"client_id": client.client_id}


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Ends the family that a token is of, be it an access or a refresh token (RFC 7009 §2.1)."""

    CLIENT_AUTH_METHODS = ["none"]
    server: Server

    def check_params(self, request: Any, client: Any) -> None:
        """Take no notice of a hint that we do not know (RFC 7009 §2.1)."""
        request.form.pop("token_type_hint", None)
        super().check_params(request, client)

    def query_token(self, token: str, _hint: str | None) -> Family | None:
        """Return the family, or None: to revoke what is not good is no error (RFC 7009 §2.2)."""
        families = self.server.families
        family = families.led_to(REFRESH_PREFIX, token)
        if family is not None:
            return family if family.is_refresh(token) else None
        family = families.get(tokens.key(ACCESS_PREFIX, token))
        known = family is not None and family.opened_by(token, self.server.clock())[0]
        return family if known else None

    def authenticate_token(self, request: Any, client: Any) -> Family | None:
        """Return the family of the token; another program's is like one that is not there."""
        try:
            family: Family | None = super().authenticate_token(request, client)
        except InvalidGrantError:
            return None
        return family

    def revoke_token(self, family: Family, _request: Any) -> None:
        """End the sign-in."""
        self.server.ended(family)
