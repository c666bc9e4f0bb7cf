"""What ends with a client's credential: its grants, its questions, and what it is doing now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..elicitation import Transactions
    from ..policy import Grants

_WHY = "its program may not come any more"


class Ending:
    """Told of every client that is refused from now on: a key, a token family, an app revoked."""

    def __init__(self, grants: Grants, transactions: Transactions) -> None:
        self._grants = grants
        self._transactions = transactions
        self._listeners: list[Callable[[str, str], None]] = []
        self._lookers: list[Callable[[], None]] = []

    def on_end(self, listener: Callable[[str, str], None]) -> None:
        """Call `listener` with the person and the id of each client that ends in this process."""
        self._listeners.append(listener)

    def on_change(self, looker: Callable[[], None]) -> None:
        """Call `looker` when a credential has ended in this process whose client has others."""
        self._lookers.append(looker)

    def changed(self) -> None:
        """Have everybody judged anew: one of several credentials of a client is gone."""
        for looker in self._lookers:
            looker()

    def ended(self, principal: str, client: str) -> None:
        """End what the client with the id `client` has; its credential is gone already."""
        for listener in self._listeners:
            listener(principal, client)
        for grant in self._grants.of_client(principal, client):
            self._grants.end(grant, _WHY)
        self._transactions.cancel_kernel(client, principal)
