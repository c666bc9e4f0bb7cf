"""Requests that a notebook writes itself: how they name their provider, and the broker's answers.

``/egress/<provider>/<scheme>/<host[:port]>/<path>?<query>`` is the provider's own URL with the
scheme and the host as segments of a path, so that a library which takes a base URL needs no more
than that. ``/egress/<provider>`` alone answers with an `EgressView`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .views import _View

ROUTE = "/egress"

UPSTREAM = "X-Jupyter-Valet"
"""Response header, always `upstream`: the provider's answer. Without it the broker itself answers,
and the body is its error."""

CARDS = "X-Jupyter-Valet-Cards"
"""Request header of a client that can show a card: it is told at once what the person must do."""

TRANSACTION = "transaction"
"""Member of an error's body that holds the `TransactionView` which a card shows."""


@dataclass(frozen=True)
class EgressView(_View):
    """Where a provider's credential may go. `origins[0]` is where relative URLs lead."""

    provider: str
    title: str
    origins: list[str] = field(default_factory=list)


def base(provider: str, origin: str) -> str:
    """Return the path that stands for `origin`, without a slash at its end."""
    parts = urlsplit(origin)
    return f"{ROUTE}/{provider}/{parts.scheme}/{parts.netloc}"
