"""Metadata of the endpoint: where a client gets a token for it (RFC 9728 §2)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin

from ...wire.clients import PAGE_ISSUER, PAGE_MCP, SCOPES

if TYPE_CHECKING:
    from ..services import Services

NAME = "Tools of a Jupyter server (jupyter-valet)"


def document(here: str, issuers: Iterable[str]) -> dict[str, Any]:
    """Return the metadata; `here` is the origin with `base_url` as the client addressed it.

    `resource` is identical to the URL that the client uses (RFC 9728 §3.3). The whole catalogue of
    scopes is not told, nor `offline_access` (RS-09, BP-23).
    """
    return {
        "resource": here + PAGE_MCP,
        "resource_name": NAME,
        "authorization_servers": [here + PAGE_ISSUER, *issuers],
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
    }


class PublicDocument(ExtensionHandlerMixin, JupyterHandler):
    """Answers anybody: nothing of it is secret, and who asks has no token yet."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    @property
    def valet(self) -> Services:
        """The extension's parts."""
        return cast("Services", self.extensionapp.services)  # type: ignore[attr-defined]

    def set_default_headers(self) -> None:
        """Let also a client in a browser read it, and nobody keep it under another `Host`."""
        self.set_header("Access-Control-Allow-Origin", "*")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse a `Host` that is none of ours, and look at no cookie: they do not matter here."""
        if not self.check_host():
            self.set_status(421)
            await self.finish()

    @allow_unauthenticated
    async def get(self) -> None:
        """Answer with the document."""
        here = self.valet.origins.for_page(self.request.protocol, self.request.host)
        self.set_header("Content-Type", "application/json")
        await self.finish(json.dumps(self.document(here)))

    def document(self, here: str) -> dict[str, Any]:
        """Return the document; `here` is the origin with `base_url` as it was asked for."""
        raise NotImplementedError

    @allow_unauthenticated
    async def head(self) -> None:
        """Answer as `GET` does; Tornado leaves the body out."""
        await self.get()


class ProtectedResource(PublicDocument):
    """The endpoint's own metadata."""

    def document(self, here: str) -> dict[str, Any]:
        """Return the metadata, with the issuers that the administrator trusts."""
        return document(here, self.valet.settings.mcp_issuers)
