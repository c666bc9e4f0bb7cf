"""Resource indicators: a token is for one endpoint, which every request names (CL-11, RS-05)."""

from __future__ import annotations

from authlib.oauth2.rfc6749 import OAuth2Error  # type: ignore[import-untyped]


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]
    """The resource is missing, or is none of this server's (RFC 8707 §2)."""

    error = "invalid_target"
    description = "resource must be the URL of the MCP endpoint of this server."
