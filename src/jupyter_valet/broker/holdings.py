"""What a notebook holds of its person's connections: `%connect`, `%connections`, `%disconnect`.

A connection that its notebook has no grant for does not exist for a kernel; it can only ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..wire.errors import ValetError
from ..wire.views import ConnectionView, ConnectReply, ConnectRequest, Kind, TransactionView
from .connections import Connection, Connections
from .elicitation import Question, Transaction, Transactions
from .kernels import Caller
from .oauth import Profile
from .policy import Policy

_BY_CONNECT = "%connect in this notebook"


@dataclass(frozen=True)
class Holdings:
    """What a kernel may ask about its person; `view` makes the card of a transaction."""

    profiles: Mapping[str, Profile]
    connections: Connections
    transactions: Transactions
    policy: Policy
    view: Callable[[Transaction], TransactionView]

    def mine(self, caller: Caller) -> list[ConnectionView]:
        """Return the connections that the caller's notebook may use, with its grants."""
        grants = self.policy.grants.of(caller)
        found = []
        for view in self.connections.views(caller.principal):
            own = [grant for grant in grants if grant.connection == view.id]
            live = [grant for grant in own if grant.created_at >= view.created_at]
            if live:
                told = [replace(grant.view(), folder="") for grant in live]
                found.append(replace(view, grants=told))
        return found

    def connect(self, caller: Caller, asked: ConnectRequest) -> ConnectReply:
        """Return the connection that is there, or the question that leads to it.

        Raises `ValetError` ("unknown_provider", "bad_request", "too_many_sign_ins").
        """
        profile = self.profiles.get(asked.provider)
        if profile is None or not profile.visible_to(caller.principal):
            raise ValetError("unknown_provider", provider=asked.provider)
        if not profile.may_ask(asked.scopes):
            raise ValetError("bad_request", what="a scope is not one that can be asked for")
        scopes = profile.normalise(asked.scopes or profile.default_scopes)
        held = self.connections.find(caller.principal, profile.name)
        good = [c for c in held if c.status == "active" and scopes <= c.scopes]
        if asked.new_account or not good:
            return self._ask(caller, self._sign_in(caller, profile, scopes, asked.new_account))
        return self._granted(caller, good) or self._ask(
            caller, Question(Kind.GRANT, profile.name, _BY_CONNECT, scopes)
        )

    async def disconnect(self, caller: Caller, connection: str, *, revoke: bool) -> str:
        """End a connection that this notebook may use, for all notebooks; return how it ended.

        Raises `ValetError` ("not_found").
        """
        if all(view.id != connection for view in self.mine(caller)):
            raise ValetError("not_found", what="connection")
        ended = await self.connections.end(caller.principal, connection, revoke=revoke)
        self.policy.end_connection(caller.principal, connection)
        return ended

    def end_grant(self, caller: Caller, id: str) -> dict[str, Any]:
        """Give a grant of this notebook back. Raises `ValetError` ("not_found")."""
        grant = next((grant for grant in self.policy.grants.of(caller) if grant.id == id), None)
        if grant is None:
            raise ValetError("not_found", what="grant")
        self.policy.end_grant(grant, "in the notebook")
        return {}

    def _granted(self, caller: Caller, good: Sequence[Connection]) -> ConnectReply | None:
        now = time.time()
        usable = {grant.connection for grant in self.policy.usable(caller) if grant.lasts(now)}
        mine = {view.id: view for view in self.mine(caller) if view.id in usable}
        found = next((mine[connection.id] for connection in good if connection.id in mine), None)
        return ConnectReply(connection=found.to_json()) if found else None

    def _sign_in(
        self, caller: Caller, profile: Profile, scopes: frozenset[str], new_account: bool
    ) -> Question:
        return Question(
            Kind.API_KEY if profile.keyed else Kind.SIGN_IN,
            profile.name,
            _BY_CONNECT,
            self.connections.scopes_to_ask(
                caller.principal, profile, scopes, new_account=new_account
            ),
            select_account=new_account,
        )

    def _ask(self, caller: Caller, question: Question) -> ConnectReply:
        transaction = self.transactions.ask(caller, question)
        return ConnectReply(transaction=self.view(transaction).to_json())
