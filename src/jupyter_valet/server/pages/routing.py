"""All pages by their paths below `base_url`."""

from __future__ import annotations

from . import callback, connections, consent, unlock
from .base import IsolatedPage, NoSuchPage

HANDLERS: list[tuple[str, type[IsolatedPage]]] = [
    *consent.HANDLERS,
    *callback.HANDLERS,
    *connections.HANDLERS,
    *unlock.HANDLERS,
]

REST: tuple[str, type[IsolatedPage]] = (r"valet(?:/.*)?", NoSuchPage)
"""Whatever else is below `valet`; must be the last."""
