"""May this caller's operation run, and with which connection?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..kernels import Caller

if TYPE_CHECKING:
    from ..connections import Connection


@dataclass(frozen=True)
class Allow:
    """Run it with this connection."""

    connection: Connection


@dataclass(frozen=True)
class NeedsConnection:
    """There is no usable connection; `reason` is what became of the last one, if there was one."""

    reason: str = ""


@dataclass(frozen=True)
class NeedsScopes:
    """The connection is good, but was not granted `missing`."""

    connection: Connection
    missing: frozenset[str]


Decision = Allow | NeedsConnection | NeedsScopes


def decide(
    caller: Caller, connections: Sequence[Connection], scopes: frozenset[str], origin: str
) -> Decision:
    """Decide on an operation that needs `scopes` at `origin`.

    `connections` are the person's at the operation's provider. Deny by default: a connection of
    somebody else, or one whose origins do not hold `origin` (L8), does not exist here. Of several
    accounts the one that was used last wins, as long as it covers the scopes.
    """
    own = [
        connection
        for connection in connections
        if connection.principal == caller.principal
        and origin in {str(allowed) for allowed in connection.origins}
    ]
    active = sorted(
        (connection for connection in own if connection.status == "active"),
        key=lambda connection: connection.last_used_at or connection.created_at,
        reverse=True,
    )
    for connection in active:
        if scopes <= connection.scopes:
            return Allow(connection)
    if active:
        return NeedsScopes(active[0], scopes - active[0].scopes)
    return NeedsConnection(own[0].reason if own else "")
