"""May this caller's operation run, and with which connection?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

from ..egress.origin import Origin
from ..kernels import Caller
from .grant import Grant

if TYPE_CHECKING:
    from ..connections import Connection


class Wanted(Struct, frozen=True):
    """What a use needs of a connection and of a grant, in facts of the broker's own."""

    origin: Origin
    scopes: frozenset[str] = frozenset()
    """Normalised: what to ask for when there is none that would do."""
    alternatives: tuple[frozenset[str], ...] = ()
    """Other sets of scopes, any of which would do as well."""
    write: bool = False
    tool: str = ""

    def satisfied_by(self, granted: frozenset[str]) -> frozenset[str] | None:
        """Return the set of scopes that would do and is granted, None when there is none."""
        for scopes in (self.scopes, *self.alternatives):
            if scopes <= granted:
                return scopes
        return None


class Allow(Struct, frozen=True):
    """Run it with this connection, under this grant, as far as its limits go."""

    connection: Connection
    grant: Grant


@dataclass(frozen=True)
class NeedsConnection:
    """There is no usable connection; `reason` is what became of the last one, if there was one."""

    reason: str = ""


@dataclass(frozen=True)
class NeedsScopes:
    """The connection is good, but was not granted `missing`."""

    connection: Connection
    missing: frozenset[str]


@dataclass(frozen=True)
class NeedsGrant:
    """There are connections that would do, and the person has given none to this notebook.

    `ended` says what became of the grant there was.
    """

    connections: tuple[Connection, ...]
    ended: str = ""


@dataclass(frozen=True)
class NeedsApproval:
    """The grant is to read, and this is a write."""

    connection: Connection
    grant: Grant


Decision = Allow | NeedsConnection | NeedsScopes | NeedsGrant | NeedsApproval


def decide(
    caller: Caller,
    connections: Sequence[Connection],
    grants: Sequence[Grant],
    wanted: Wanted,
    now: float,
) -> Decision:
    """Decide on an operation that needs `wanted`.

    `connections` are the person's at the operation's provider, `grants` those of the caller's
    notebook and run. Deny by default: a connection of somebody else, or one whose origins do not
    hold the origin (L8), does not exist here, nor does one without a grant, but as an offer. Of
    several accounts the one that was used last wins, as long as it covers the scopes.
    """
    own = [
        connection
        for connection in connections
        if connection.principal == caller.principal and wanted.origin in connection.origins
    ]
    active = [connection for connection in own if connection.status == "active"]
    if len(active) > 1:
        active.sort(key=lambda one: one.last_used_at or one.created_at, reverse=True)
    if not active:
        return NeedsConnection(own[0].reason if own else "")
    covered = [
        (c, g)
        for c in active
        if wanted.satisfied_by(c.scopes) is not None
        for g in grants
        if is_for(g, c) and g.lasts(now)
    ]
    if covered:
        return _under(covered, wanted)
    given = [(c, g) for c in active for g in grants if is_for(g, c)]
    live = [(c, g) for c, g in given if g.lasts(now)]
    if live:
        return NeedsScopes(live[0][0], wanted.scopes - live[0][0].scopes)
    offers = tuple(c for c in active if wanted.satisfied_by(c.scopes) is not None)
    if offers:
        return NeedsGrant(offers, "the last one has run out" if given else "")
    return NeedsScopes(active[0], wanted.scopes - active[0].scopes)


def is_for(grant: Grant, connection: Connection) -> bool:
    """Tell whether `grant` was given for this very connection, and not for one that it replaces."""
    return (
        grant.connection == connection.id
        and grant.subject.principal == connection.principal
        and grant.created_at >= connection.created_at
    )


def _under(covered: Sequence[tuple[Connection, Grant]], wanted: Wanted) -> Allow | NeedsApproval:
    for connection, grant in covered:
        if not wanted.write or grant.may_write(wanted.tool):
            return Allow(connection, grant)
    return NeedsApproval(*covered[0])
