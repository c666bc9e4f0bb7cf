"""The issuer's metadata (RFC 8414), in the places where MCP clients look.

At the root of the origin, where the root is ours; below the issuer under both of its names, which
is where clients look behind a JupyterHub (CL-02: the third place, OpenID Connect Discovery §4).
"""

from __future__ import annotations

from typing import Any

from ...wire.authorization import metadata
from ..mcp.metadata import PublicDocument

NAMES = ("oauth-authorization-server", "openid-configuration")
"""Below `/.well-known/`: registered by RFC 8414 §7.3, and by OpenID Connect."""


class IssuerMetadata(PublicDocument):
    """Its issuer is the one that was asked for (CL-03)."""

    def document(self, here: str) -> dict[str, Any]:
        """Return the metadata."""
        return metadata(here, client_documents=self.valet.settings.client_documents)
