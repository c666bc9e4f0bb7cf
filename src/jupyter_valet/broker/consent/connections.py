"""The person's connections, the grants for them, and what waits for an answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ...wire.errors import ValetError
from ...wire.views import ConnectionView
from ..elicitation import Transaction
from ..policy import Grant
from . import choices as chosen
from .desk import Desk
from .facts import redirect_uri
from .nonces import Nonces


class Part(Protocol):
    """A part of the page that is about something else than connections."""

    def facts(self, principal: str) -> dict[str, Any]:
        """Return what the part shows, by names of its own."""


@dataclass(frozen=True)
class ConnectionsPage:
    """What is there, and how to end or narrow it."""

    desk: Desk
    nonces: Nonces
    parts: list[Part] = field(default_factory=list)
    """What else is on it."""

    async def show(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return what the page shows, and the nonce that a press on it carries."""
        principal = params["principal"]
        views = self.desk.connections.views(principal)
        waiting = self.desk.transactions.waiting(principal)
        return {
            "connections": [self._with_grants(principal, view).to_json() for view in views],
            "providers": [
                {
                    "name": p.name,
                    "title": p.title,
                    "redirect_uri": redirect_uri(params["origin"], p.name),
                }
                for p in self.desk.profiles.values()
                if p.visible_to(principal)
            ],
            "waiting": [self._waiting(transaction) for transaction in waiting],
            "nonce": self.nonces.of(principal),
            **{name: fact for part in self.parts for name, fact in part.facts(principal).items()},
        }

    async def end(self, params: dict[str, Any]) -> dict[str, Any]:
        """Disconnect, and revoke at the provider if asked."""
        principal, connection = self.nonces.spend(params), params["connection"]
        await self.desk.connections.end(principal, connection, revoke=params["revoke"])
        self.desk.policy.end_connection(principal, connection)
        return {}

    async def change_grant(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give a grant other limits; a tool whose box is no longer ticked writes no more by it."""
        grant = self._grant(self.nonces.spend(params), params["grant"])
        form = params["choices"]
        span = chosen.span(form, time.time(), kept=grant.until)
        if span.run:
            raise ValetError("bad_request", what="a grant cannot become one for a run")
        changed = replace(
            grant,
            access=chosen.access(form),
            writes=grant.writes & chosen.ticked(form, "write"),
            limits=chosen.limits(form),
            until=span.until,
        )
        self.desk.policy.grants.give(changed)
        return {}

    async def end_grant(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take a grant back."""
        grant = self._grant(self.nonces.spend(params), params["grant"])
        self.desk.policy.end_grant(grant, "by the person, on the page")
        return {}

    def _grant(self, principal: str, id: str) -> Grant:
        grant = self.desk.policy.grants.get(principal, id)
        if grant is None:
            raise ValetError("not_found", what="grant")
        return grant

    def _with_grants(self, principal: str, view: ConnectionView) -> ConnectionView:
        grants = self.desk.policy.grants.of_connection(principal, view.id)
        return replace(view, grants=[grant.view() for grant in grants])

    def _waiting(self, transaction: Transaction) -> dict[str, str]:
        profile = self.desk.profiles.get(transaction.provider)
        return {
            "id": transaction.id,
            "kind": str(transaction.kind),
            "title": profile.title if profile else transaction.provider,
            "notebook": transaction.notebook,
            "client": transaction.client,
            "reason": transaction.reason,
        }
