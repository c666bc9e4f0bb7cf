"""All pages by their paths below `base_url`."""

from __future__ import annotations

from . import callback, client_document, connections, consent, unlock
from .base import IsolatedPage, NoSuchPage

HANDLERS: list[tuple[str, type[IsolatedPage]]] = [
    *consent.HANDLERS,
    *callback.HANDLERS,
    *client_document.HANDLERS,
    *connections.HANDLERS,
    *unlock.HANDLERS,
    (r"valet(?:/.*)?", NoSuchPage),
]
"""The last takes whatever else is below `valet`."""
