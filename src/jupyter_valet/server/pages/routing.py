"""All pages by their paths below `base_url`."""

from __future__ import annotations

from jupyter_server.base.handlers import JupyterHandler

from ...wire.clients import PAGE_MCP
from ..mcp.addresses import BELOW, DOCUMENT
from ..mcp.handler import McpHandler
from ..mcp.metadata import ProtectedResource
from . import callback, client_document, client_keys, connections, consent, unlock
from .base import NoSuchPage

HANDLERS: list[tuple[str, type[JupyterHandler]]] = [
    (PAGE_MCP, McpHandler),
    (BELOW, ProtectedResource),
    *consent.HANDLERS,
    *callback.HANDLERS,
    *client_document.HANDLERS,
    *connections.HANDLERS,
    *client_keys.HANDLERS,
    *unlock.HANDLERS,
    (r"valet(?:/.*)?", NoSuchPage),
]
"""The last takes whatever else is below `valet`."""

WELL_KNOWN: list[tuple[str, str, type[JupyterHandler]]] = [
    (DOCUMENT, PAGE_MCP, ProtectedResource),
]
"""Documents at the root of the origin, by their name and by the path that they are about."""
