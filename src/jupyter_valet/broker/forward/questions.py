"""What a request lacks that only the person can give, for clients that speak nothing but HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from ...wire import egress as wire
from ...wire.errors import ValetError
from ...wire.views import Kind, TransactionView
from ..elicitation import Needs, Transaction, Transactions
from ..kernels import Caller
from ..oauth import Profile

HOLD = 4.0
"""Seconds that a client which cannot show a card is held: the person may be signing in already."""


class Asked(Exception):
    """A client that can show a card is told what its person must do."""

    def __init__(self, error: ValetError, view: TransactionView) -> None:
        self.error = error
        self.body: dict[str, Any] = {**error.to_json(), wire.TRANSACTION: view.to_json()}
        super().__init__(error.code)


@dataclass(frozen=True)
class Questions:
    """Asks the person, in the way that the client at hand can bear."""

    transactions: Transactions
    profiles: Mapping[str, Profile]
    view: Callable[[Transaction], TransactionView]
    hold: float = HOLD

    async def ask(self, caller: Caller, needs: Needs, *, cards: bool) -> None:
        """Return once the person has done it.

        Raises `Asked` for a client that shows `cards`, and `ValetError` when it did not come about.
        """
        transaction = self.transactions.ask(caller, needs.question)
        title = self.profiles[needs.provider].title
        waiting = _waiting(needs, title)
        if cards:
            raise Asked(waiting, self.view(transaction))
        transaction = await self._held(transaction)
        if not transaction.state.final:
            raise waiting
        if (error := transaction.outcome(title)) is not None:
            raise error

    async def _held(self, transaction: Transaction) -> Transaction:
        deadline = anyio.current_time() + self.hold
        while not transaction.state.final:
            left = deadline - anyio.current_time()
            if left <= 0:
                break
            transaction = await self.transactions.wait(
                transaction.id, after=transaction.revision, timeout=left
            )
        return transaction


def _waiting(needs: Needs, title: str) -> ValetError:
    """Return the error of a request that can be sent again once the person has answered."""
    match needs.question.kind:
        case Kind.GRANT:
            return ValetError("grant_required", provider=title, name=needs.provider)
        case Kind.APPROVAL:
            return ValetError("approval_required", provider=title)
        case _:
            return ValetError("authorization_required", provider=title)
