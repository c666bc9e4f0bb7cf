"""The presses that give leave: a level that is accepted, a grant, an approval."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from ...wire.errors import ValetError
from ...wire.views import Kind
from ..connections import Connection
from ..elicitation import Transaction
from ..elicitation.transaction import TIME_TO_LIVE
from ..policy import Grant, at_least
from ..policy.decide import is_for
from ..vault import Conflict
from . import choices as chosen
from . import facts
from .desk import Desk, subject_of


@dataclass(frozen=True)
class Leave:
    """What a person lets a notebook do."""

    desk: Desk

    async def accept(self, params: dict[str, Any]) -> dict[str, Any]:
        """Note that the person agreed to the isolation of the kernel that asks."""
        transaction = self.desk.pressed(params)
        level = self._agreed(transaction, params["choices"])
        self.desk.change(transaction, lambda now: now.accepted(level))
        return {}

    async def grant(self, params: dict[str, Any]) -> dict[str, Any]:
        """Give the notebook what was chosen, of the connection that was chosen."""
        transaction = self.desk.pressed(params)
        if transaction.kind is not Kind.GRANT:
            raise ValetError("page_out_of_date")
        form = params["choices"]
        connection = self._chosen(transaction, form)
        span = chosen.span(form, time.time())
        if span.run:
            self._check_run(transaction)
        subject = subject_of(transaction, run=span.run)
        before = self.desk.policy.grants.find(subject_of(transaction), connection.id)
        limits = chosen.limits(form) if before is None else before.limits
        grant = Grant(
            subject,
            connection.id,
            access=chosen.access(form),
            limits=replace(limits, per_hour=chosen.per_hour(form)),
            until=span.until,
            level=self._agreed(transaction, form),
            client_name=transaction.client,
        )
        self._finish(transaction, connection)
        self.desk.policy.grants.give(grant)
        return {}

    async def allow(self, params: dict[str, Any]) -> dict[str, Any]:
        """Approve one write: once, for this run, or for this notebook."""
        transaction = self.desk.pressed(params)
        connection = self.desk.connections.get(transaction.principal, transaction.connection_id)
        if transaction.kind is not Kind.APPROVAL or connection is None:
            raise ValetError("page_out_of_date")
        self._check_running(transaction)
        choice = params["choices"].get("choice", "")
        match choice:
            case "once" | "run":
                if choice == "run":
                    self._check_run(transaction)
                self._finish(transaction, connection)
                self._approve(transaction, connection, choice)
            case "notebook":
                grant = self._grant_of(transaction, connection)
                self._finish(transaction, connection)
                writes = grant.writes | {transaction.tool}
                self.desk.policy.grants.give(replace(grant, writes=writes))
            case _:
                raise ValetError("bad_request", what="the form cannot be used (the choice)")
        self.desk.record("approval.given", transaction, connection, reason=_WORDS[choice])
        return {}

    def signed_in(self, transaction: Transaction, connection: Connection) -> None:
        """Give the notebook that asked for a sign-in its grant: to read, until it is taken back.

        A grant that there is stays as the person made it; only a level that they agreed to since
        is noted.
        """
        grants = self.desk.policy.grants
        level = transaction.level or self.desk.level(transaction)[0]
        now = time.time()
        for run in (True, False):
            grant = grants.find(subject_of(transaction, run=run), connection.id)
            if grant and is_for(grant, connection) and grant.lasts(now):
                if not at_least(level, grant.level):
                    grants.give(replace(grant, level=level))
                return
        subject = subject_of(transaction)
        lasts = not (subject.kernel_id or subject.client)
        if lasts or self._is_running(transaction):
            name = transaction.client
            grants.give(Grant(subject, connection.id, level=level, client_name=name))

    def _check_run(self, transaction: Transaction) -> None:
        """Refuse a run that is over, and that of a client, which has none."""
        if transaction.client:
            raise ValetError("bad_request", what="a program outside of the notebooks has no runs")
        self._check_running(transaction)

    def _check_running(self, transaction: Transaction) -> None:
        if not self._is_running(transaction):
            raise ValetError("page_out_of_date")

    def _is_running(self, transaction: Transaction) -> bool:
        """Tell whether who asked still is.

        A kernel that restarted is another run, and a client whose key was taken comes no more.
        """
        ended_at = self.desk.policy.grants.ended_at(transaction.principal, transaction.kernel_id)
        return transaction.created_at > ended_at

    def _approve(self, transaction: Transaction, connection: Connection, choice: str) -> None:
        approvals = self.desk.policy.approvals
        who = (transaction.principal, transaction.kernel_id)
        if choice == "run":
            approvals.allow_run(who, transaction.tool, connection.id)
        else:
            approvals.allow_once(who, transaction.digest, time.time() + TIME_TO_LIVE)

    def _grant_of(self, transaction: Transaction, connection: Connection) -> Grant:
        """Return the grant that the write would be done under; it may be gone meanwhile."""
        for run in (True, False):
            subject = subject_of(transaction, run=run)
            grant = self.desk.policy.grants.find(subject, connection.id)
            if grant is not None and is_for(grant, connection):
                return grant
        raise ValetError("page_out_of_date")

    def _chosen(self, transaction: Transaction, form: dict[str, str]) -> Connection:
        """Return the person's own connection that was chosen among those that were offered."""
        profile = self.desk.profile(transaction)
        held = self.desk.connections.find(transaction.principal, profile.name)
        offered = facts.offers(transaction, profile, held)
        for connection in offered:
            if connection.id == form.get("connection"):
                return connection
        raise ValetError("page_out_of_date")

    def _agreed(self, transaction: Transaction, form: dict[str, str]) -> str:
        """Return the level at hand. Raises `ValetError` when it is low and the box not ticked."""
        if self.desk.low(transaction) and not chosen.understood(form):
            raise ValetError("level_not_accepted")
        return self.desk.level(transaction)[0]

    def _finish(self, transaction: Transaction, connection: Connection) -> None:
        """End the transaction before anything else: of two presses, one has an effect.

        Raises `ValetError` ("page_out_of_date") for the other, and for what ended meanwhile.
        """
        try:
            done = transaction.done(connection.id, connection.account.label)
            self.desk.transactions.update(done)
        except (Conflict, ValueError):
            raise ValetError("page_out_of_date") from None


_WORDS = {"once": "this one write", "run": "this run", "notebook": "this notebook or client"}
