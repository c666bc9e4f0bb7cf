"""Tokens of the Jupyter server and of JupyterHub: the server's identity provider has judged them.

Whoever holds such a token is the person to Jupyter, so the client may ask for everything; what it
does with an account is for the person's grants to say, as for any client.
"""

from __future__ import annotations

from collections.abc import Callable

from ...wire.clients import Arrival
from ..client import PREFIX, Client
from .authenticator import Proven
from .scopes import READ, WRITE

ID = f"{PREFIX}jupyter"
NAME = "Programs with a Jupyter token"

_CLIENT = Client(ID, NAME, frozenset({READ, WRITE}))


class JupyterTokens:
    """Believes the server, which has looked at the token, the person and its authorizer."""

    def __init__(self, seen: Callable[[str], None]) -> None:
        self._seen = seen

    def knows(self, arrival: Arrival) -> bool:
        """Tell whether the server has found a person."""
        return bool(arrival.principal)

    async def prove(self, arrival: Arrival) -> Proven:
        """Return that person's client; there is one for all holders of their Jupyter tokens."""
        self._seen(arrival.principal)
        return Proven(arrival.principal, _CLIENT)
