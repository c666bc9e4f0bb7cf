"""An MCP client outside of the notebooks, as far as it has proved who it is."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "client:"
"""Begins the ids of clients, so that none is ever taken for a kernel's."""


@dataclass(frozen=True)
class Client:
    """What a credential of MCP authorization stands for: never what the client says of itself."""

    id: str
    """`client:` and what tells its credential from all others of the same person."""
    name: str
    """For people."""
    scopes: frozenset[str]
    """Of MCP authorization (`broker.clients.scopes`), not a provider's."""
    expires_at: float = 0.0
    """When its credential ends, in seconds since the epoch; 0: never."""
