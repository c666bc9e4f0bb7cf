"""Transactions that survive the broker, and the tasks that wait for them."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from ...wire.errors import ValetError
from ...wire.views import Kind, TransactionState
from ..kernels import Caller, below
from ..vault import Conflict, Record, Vault
from . import record as records
from .held import Held
from .question import Question
from .transaction import TIME_TO_LIVE, Transaction

if TYPE_CHECKING:
    from ..connections import Connection
    from ..oauth import Profile

_KEEP_FINAL = 3600.0
"""Seconds after its end for which a transaction can still be asked about."""

_MOST = 32
"""Sign-ins of one kernel: so many may be pending, and as many that ended are remembered."""


class Transactions:
    """The pending elicitations of this vault (ES-15, ES-17: sealed, and bound to a person).

    A page's nonce lives in this process only. After a restart of the broker the person's page is
    out of date and gets a new one when it is opened again; a sign-in at the provider goes on.
    """

    def __init__(self, vault: Vault, *, clock: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._clock = clock
        self._nonces: dict[str, str] = {}
        self._changed: dict[str, anyio.Event] = {}
        self.held = Held(clock=clock)

    # One transaction -------------------------------------------------------------------------

    def create(
        self,
        caller: Caller,
        *,
        provider: str,
        scopes: Iterable[str],
        reason: str,
        ttl: float = TIME_TO_LIVE,
        select_account: bool = False,
    ) -> Transaction:
        """Ask the person behind `caller` to sign in; as `ask` does."""
        question = Question(
            Kind.SIGN_IN, provider, reason, frozenset(scopes), select_account=select_account
        )
        return self.ask(caller, question, ttl=ttl)

    def ask(self, caller: Caller, question: Question, *, ttl: float = TIME_TO_LIVE) -> Transaction:
        """Ask the person behind `caller`; the same question of the same kernel is asked once.

        Raises `ValetError` ("too_many_sign_ins") when the kernel waits for many already.
        """
        self.sweep()
        asked = Transaction.begin(caller, question, now=self._clock(), ttl=ttl)
        pending = self.pending_for(caller.principal, question.provider)
        same = next((before for before in pending if before.asks_the_same_as(asked)), None)
        if same is not None:
            return same
        self._make_room(caller)
        return self._put(asked)

    def get(self, transaction_id: str) -> Transaction | None:
        """Return a transaction as it is now; one whose time is over is expired here."""
        record = self._vault.get(records.KIND, transaction_id)
        return None if record is None else self._current(record)

    def update(self, transaction: Transaction) -> Transaction:
        """Store the next state of a transaction and wake who waits for it.

        Raises `vault.Conflict` when somebody else changed it since `transaction.revision`.
        """
        return self._put(transaction)

    def end(self, transaction_id: str, action: str) -> Transaction:
        """End a transaction on the client's word: `decline`, else cancelled; a final one stays.

        Raises `ValetError` when there is no such transaction.
        """
        while True:
            transaction = self._existing(transaction_id)
            if transaction.state.final:
                return transaction
            ended = transaction.declined() if action == "decline" else transaction.cancelled()
            with contextlib.suppress(Conflict):
                return self.update(ended)

    async def wait(self, transaction_id: str, *, after: int, timeout: float) -> Transaction:  # noqa: ASYNC109
        """Return the transaction once its revision is above `after`, or after `timeout` seconds.

        Sleeps on an event; what another process wrote is seen at the end of the wait.
        Raises `ValetError` when there is no such transaction.
        """
        deadline = anyio.current_time() + timeout
        while True:
            changed = self._changed.setdefault(transaction_id, anyio.Event())
            transaction = self._existing(transaction_id)
            left = deadline - anyio.current_time()
            if transaction.revision > after or transaction.state.final or left <= 0:
                return transaction
            life = max(transaction.expires_at - self._clock(), 0.0)
            with anyio.move_on_after(min(left, life)):
                await changed.wait()

    # Several ---------------------------------------------------------------------------------

    def by_state(self, state_digest: str) -> Transaction | None:
        """Return the transaction whose authorization request carried this `state`."""
        for transaction in self._pending():
            pending = transaction.pending
            if pending is not None and secrets.compare_digest(pending.state_digest, state_digest):
                return transaction
        return None

    def pending_for(self, principal: str, provider: str) -> list[Transaction]:
        """Return what this person is being asked about this provider."""
        return [
            transaction
            for transaction in self._pending()
            if (transaction.principal, transaction.provider) == (principal, provider)
        ]

    def complete_covered(
        self, connection: Connection, profile: Profile, by: Transaction | None = None
    ) -> list[Transaction]:
        """Finish every pending sign-in that `connection` covers: one card finishes them all.

        Those of other notebooks than that of `by` have their grant still to ask for.
        """
        covered = [
            pending
            for pending in self.pending_for(connection.principal, connection.provider)
            if pending.kind.gates_a_connection
            and profile.normalise(pending.scopes) <= connection.scopes
            and not pending.select_account
        ]
        finished = []
        for pending in covered:
            # It moved meanwhile, or is at the provider: that must not stop the others.
            with contextlib.suppress(Conflict, ValueError):
                if by is not None and not pending.shares_grants_with(by):
                    self.update(pending.for_a_grant())
                else:
                    done = pending.done(connection.id, connection.account.label)
                    finished.append(self.update(done))
        return finished

    def with_codes(self) -> list[Transaction]:
        """Return the sign-ins that wait until a code was typed at the provider."""
        return [pending for pending in self._pending() if pending.device is not None]

    def waiting(self, principal: str) -> list[Transaction]:
        """Return what this person is being asked, the oldest first."""
        mine = (pending for pending in self._pending() if pending.principal == principal)
        return sorted(mine, key=lambda pending: pending.created_at)

    def cancel_kernel(self, kernel_id: str, principal: str = "") -> list[Transaction]:
        """Give up what a kernel that is gone was asking for, or a client of `principal`'s.

        A sign-in that the person has approved and that is at the provider goes on: the connection
        is theirs, and the kernel's next call finds it.
        """
        return [
            self.end(pending.id, "cancel")  # also when another process is just changing it
            for pending in self._pending()
            if pending.kernel_id == kernel_id
            and pending.principal == (principal or pending.principal)
            and pending.state is not TransactionState.AT_PROVIDER
        ]

    def moved(self, root: str, old: str, new: str) -> None:
        """Follow notebooks that the server renamed: what comes of a question is for the new path.

        An empty `new` deletes: then nobody needs the answer any more.
        """
        for pending in self._pending():
            rest = below(pending.notebook, old)
            if pending.root != root or rest is None:
                continue
            with contextlib.suppress(Conflict):
                moved = replace(pending, notebook=new + rest) if new else pending.cancelled()
                self.update(moved)

    def sweep(self, now: float | None = None) -> int:
        """Forget what ended more than an hour ago; return how many."""
        now = self._clock() if now is None else now
        old = [
            record.id
            for record in self._vault.list(records.KIND)
            if record.meta["expires_at"] + _KEEP_FINAL < now
        ]
        for transaction_id in old:
            self._forget(transaction_id)
        return len(old)

    def _make_room(self, caller: Caller) -> None:
        """Keep a kernel that asks without end from filling the vault, which all others read too."""
        whose = (caller.principal, caller.kernel_id)
        own = [one for one in self._all() if (one.principal, one.kernel_id) == whose]
        ended = [transaction for transaction in own if transaction.state.final]
        if len(own) - len(ended) >= _MOST:
            raise ValetError("too_many_sign_ins", count=_MOST)
        ended.sort(key=lambda transaction: transaction.created_at)
        for transaction in ended[: 1 - _MOST]:
            self._forget(transaction.id)

    # Storage ---------------------------------------------------------------------------------

    def _all(self) -> list[Transaction]:
        return [self._current(record) for record in self._vault.list(records.KIND)]

    def _pending(self) -> list[Transaction]:
        return [transaction for transaction in self._all() if not transaction.state.final]

    def _forget(self, transaction_id: str) -> None:
        self._vault.delete(records.KIND, transaction_id)
        self._nonces.pop(transaction_id, None)
        self._changed.pop(transaction_id, None)

    def _existing(self, transaction_id: str) -> Transaction:
        transaction = self.get(transaction_id)
        if transaction is None:
            raise ValetError("not_found", what="sign-in")
        return transaction

    def _current(self, record: Record) -> Transaction:
        transaction = records.from_record(record, self._nonces.get(record.id, ""))
        due = transaction.expire_if_due(self._clock())
        if due is not transaction:
            try:
                return self._put(due)
            except Conflict:  # another process was quicker, and knows better
                return self.get(record.id) or due
        has_page = transaction.state is TransactionState.OPENED or transaction.device is not None
        if has_page and not transaction.nonce:
            # The broker was restarted: the page that is open is out of date, the next one is not.
            self._nonces[transaction.id] = secrets.token_urlsafe(32)
            return replace(transaction, nonce=self._nonces[transaction.id])
        return transaction

    def _put(self, transaction: Transaction) -> Transaction:
        record = self._vault.put(
            records.KIND,
            transaction.id,
            records.to_meta(transaction),
            records.payload(transaction),
            expect=transaction.revision,
        )
        if transaction.nonce:
            self._nonces[transaction.id] = transaction.nonce
        else:
            self._nonces.pop(transaction.id, None)
        changed = self._changed.pop(transaction.id, None)
        if changed is not None:
            changed.set()
        return replace(transaction, revision=record.revision)
