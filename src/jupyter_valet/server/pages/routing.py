"""All pages by their paths below `base_url`."""

from __future__ import annotations

from jupyter_server.base.handlers import JupyterHandler

from ...wire.clients import PAGE_ISSUER, PAGE_MCP
from ..authorization import endpoints, metadata
from ..mcp.addresses import BELOW, DOCUMENT
from ..mcp.metadata import ProtectedResource
from . import (
    authorize,
    callback,
    client_document,
    client_keys,
    connections,
    consent,
    programs,
    unlock,
)
from .base import NoSuchPage

HANDLERS: list[tuple[str, type[JupyterHandler]]] = [
    (BELOW, ProtectedResource),
    *endpoints.HANDLERS,
    *authorize.HANDLERS,
    *consent.HANDLERS,
    *callback.HANDLERS,
    *client_document.HANDLERS,
    *connections.HANDLERS,
    *client_keys.HANDLERS,
    *programs.HANDLERS,
    *unlock.HANDLERS,
    (r"valet(?:/.*)?", NoSuchPage),
]
"""The last takes whatever else is below `valet`."""

WELL_KNOWN: list[tuple[str, str, type[JupyterHandler]]] = [
    (DOCUMENT, PAGE_MCP, ProtectedResource),
    *((name, PAGE_ISSUER, metadata.IssuerMetadata) for name in metadata.NAMES),
]
"""Documents at the root of the origin, by their name and by the path that they are about."""
