"""The one way in which a tool says that it lacks something."""

from __future__ import annotations

from collections.abc import Iterable


class NeedsAuthorization(Exception):
    """A call cannot go on until the person has signed in at `provider`.

    Whoever raises it does not know the client; `broker.mcp.elicit` turns it into the form that the
    client at hand understands. `scopes` is everything the connection must hold afterwards (the
    union of what it has and what is missing), `reason` says why in words for the person, `missing`
    puts the scopes that a connection lacks into words.
    """

    def __init__(
        self, provider: str, scopes: Iterable[str], reason: str, missing: str = ""
    ) -> None:
        self.provider = provider
        self.scopes = frozenset(scopes)
        self.reason = reason
        self.missing = missing
        super().__init__(f"{provider} needs a sign-in")
