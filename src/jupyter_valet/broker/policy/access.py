"""With which connection may this caller do this, now? The one gate that every use goes through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from ..elicitation import NeedsAuthorization
from ..kernels import Caller
from .decide import Allow, NeedsConnection, NeedsScopes, decide

if TYPE_CHECKING:
    from ..connections import Connection, Connections
    from ..egress.request import Request
    from ..oauth import Profile


@dataclass(frozen=True)
class Use:
    """What is about to be done with a person's connection, in facts of the broker's own."""

    tool: str
    """What does it, by the name that the audit knows."""
    asker: str
    """The same for people: `The tool github.list_issues`, `valet.client("github")`."""
    request: Request
    """What would be sent, without its credential."""
    access: Literal["read", "write"]
    scopes: frozenset[str] = frozenset()
    """What the connection must hold, in the provider's names."""


class Access:
    """Finds the connection for a use, or says what only the person can give.

    Deny by default: without a connection of the caller's own person that may go to the request's
    origin, and holds the scopes, there is none.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def connection(self, caller: Caller, profile: Profile, use: Use) -> Connection:
        """Return the connection to use. Raises `NeedsAuthorization`."""
        decision = decide(
            caller,
            self._connections.find(caller.principal, profile.name),
            profile.normalise(use.scopes),
            str(use.request.origin),
        )
        match decision:
            case Allow(connection):
                return connection
            case NeedsConnection(reason):
                raise self.sign_in(caller, profile, use, use.scopes, reason)
            case NeedsScopes(connection, missing):
                raise self.step_up(caller, profile, use, connection, missing)
            case _:
                assert_never(decision)

    def sign_in(
        self, caller: Caller, profile: Profile, use: Use, scopes: Iterable[str], why: str
    ) -> NeedsAuthorization:
        """Return the need for a sign-in with `scopes`; `why` is what became of the last one."""
        return self._needs(caller, profile, use, frozenset(scopes), why)

    def step_up(
        self,
        caller: Caller,
        profile: Profile,
        use: Use,
        connection: Connection,
        missing: frozenset[str],
    ) -> NeedsAuthorization:
        """Return the need for the union of what `connection` has and what is missing."""
        words = "; ".join(profile.words(scope) for scope in sorted(missing))
        scopes = connection.scopes | missing | use.scopes
        return self._needs(
            caller, profile, use, scopes, f"the permission is missing: {words}", words
        )

    def _needs(
        self,
        caller: Caller,
        profile: Profile,
        use: Use,
        scopes: frozenset[str],
        why: str,
        missing: str = "",
    ) -> NeedsAuthorization:
        reason = f"{use.asker} needs it" + (f"; {why}." if why else ".")
        asked = self._connections.scopes_to_ask(caller.principal, profile, scopes)
        return NeedsAuthorization(profile.name, asked, reason, missing)
