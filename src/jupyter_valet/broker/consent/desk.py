"""What every page needs: the transaction, whose it is, its next state, and a line in the audit."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ...wire.errors import ValetError
from ...wire.views import TransactionState
from ..audit import Audit
from ..connections import Connection, Connections
from ..elicitation import Transaction, Transactions
from ..kernels import Kernels
from ..oauth import Profile
from ..policy import Policy, Subject, at_least
from ..vault import Conflict


@dataclass(frozen=True)
class Desk:
    """The parts that the pages share, and the steps that all of them take."""

    audit: Audit
    profiles: Mapping[str, Profile]
    connections: Connections
    transactions: Transactions
    policy: Policy
    kernels: Kernels

    # Look-ups --------------------------------------------------------------------------------

    def get(self, transaction_id: str) -> Transaction:
        """Return a transaction. Raises `ValetError` ("not_found")."""
        transaction = self.transactions.get(transaction_id)
        if transaction is None:
            raise ValetError("not_found", what="sign-in")
        return transaction

    def mine(self, params: Mapping[str, Any]) -> Transaction:
        """Return the transaction if the one who asks is the one who started it (ES-30, ES-31)."""
        transaction = self.get(params["transaction"])
        if not same(transaction.principal, params["principal"]):
            raise ValetError("not_yours")
        return transaction

    def check_server(self, transaction: Transaction, origin: str) -> None:
        """Raise `ValetError` ("other_server") when the one at `origin` is not who asks.

        Several servers of one person may share this vault, a JupyterHub's named ones for example.
        Only the one that asks knows the kernel and its isolation. They differ in their paths; one
        server may have several names.
        """
        if urlsplit(origin).path.rstrip("/") != urlsplit(transaction.origin).path.rstrip("/"):
            raise ValetError("other_server", url=transaction.url)

    def pressed(self, params: Mapping[str, Any]) -> Transaction:
        """Return the transaction whose open page was pressed by its person.

        Raises `ValetError` ("not_yours", "page_out_of_date").
        """
        transaction = self.mine(params)
        if transaction.state is not TransactionState.OPENED:
            raise ValetError("page_out_of_date")
        self.check_nonce(transaction, params["nonce"])
        return transaction

    def check_nonce(self, transaction: Transaction, nonce: str) -> None:
        """Raise `ValetError` ("page_out_of_date") unless `nonce` is that of the open page."""
        check_nonce(transaction, nonce, self.profiles.get(transaction.provider))

    def profile(self, transaction: Transaction) -> Profile:
        """Return the provider that is asked about. Raises `ValetError` ("unknown_provider")."""
        profile = self.profiles.get(transaction.provider)
        if profile is None:
            raise ValetError("unknown_provider", provider=transaction.provider)
        return profile

    # Isolation -------------------------------------------------------------------------------

    def level(self, transaction: Transaction) -> tuple[str, str]:
        """Return the level of the kernel that asks, and what it means."""
        return self.policy.levels(self.kernels.isolation_of(transaction.kernel_id))

    def low(self, transaction: Transaction) -> bool:
        """Tell whether the level is below the one wanted, and the person has not agreed to it."""
        level, _ = self.level(transaction)
        return not (
            at_least(level, self.policy.wanted_level)
            or (transaction.level and at_least(level, transaction.level))
        )

    # Steps -----------------------------------------------------------------------------------

    def opened(self, transaction: Transaction) -> Transaction:
        """Note that the person looks at the page; a second look starts over with a new state.

        But not while a code of theirs is out: then the page shows that.
        """
        if transaction.state is TransactionState.OPENED or transaction.device is not None:
            return transaction
        nonce = secrets.token_urlsafe(32)
        return self.change(transaction, lambda now: now.opened(nonce=nonce))

    def change(
        self, transaction: Transaction, step: Callable[[Transaction], Transaction]
    ) -> Transaction:
        """Take one step; if somebody else moved first, take it from where they left it.

        A transaction that ended meanwhile (the kernel was interrupted, another card got the same
        connection) stays as it ended: nothing leaves a final state.
        """
        try:
            return self.transactions.update(step(transaction))
        except Conflict:
            latest = self.get(transaction.id)
            if latest.state.final:
                return latest
            try:
                return self.transactions.update(step(latest))
            except (Conflict, ValueError):
                raise ValetError("page_out_of_date") from None

    def fail(self, transaction: Transaction, code: str, **fields: object) -> None:
        """End a transaction with an error of ours."""
        self.fail_with(
            transaction, ValetError(code, provider=self.profile(transaction).title, **fields)
        )

    def fail_with(self, transaction: Transaction, error: ValetError) -> None:
        """End a transaction with `error`."""
        self.change(transaction, lambda now: now.failed(error))
        self.record("transaction.failed", transaction, outcome=error.code)

    def record(
        self,
        action: str,
        transaction: Transaction,
        connection: Connection | None = None,
        outcome: str = "ok",
        **facts: str,
    ) -> None:
        """Write down what happened."""
        self.audit.record(
            action,
            principal=transaction.principal,
            provider=transaction.provider,
            connection=connection.id if connection else "",
            account=connection.account.label if connection else "",
            tool=transaction.tool,
            kernel=transaction.kernel_id,
            notebook=transaction.notebook,
            outcome=outcome,
            **facts,
        )


def subject_of(transaction: Transaction, *, run: bool = False) -> Subject:
    """Return whom a grant is given to that comes of `transaction`; a client has no runs."""
    if transaction.client:
        return Subject(transaction.principal, client=transaction.kernel_id)
    only = transaction.kernel_id if run or not transaction.notebook else ""
    return Subject(transaction.principal, transaction.root, transaction.notebook, only)


def page_nonce(transaction: Transaction, profile: Profile | None) -> str:
    """Return the nonce of the open page; empty when none is open.

    It is good for the provider that the page shows. What a notebook adds can become another one
    of the same name while the page is open, and a server of its choice can name another issuer.
    """
    if not transaction.nonce:
        return ""
    shown = (profile.title, profile.issuer, profile.fingerprint) if profile else ()
    return digest(json.dumps([transaction.nonce, *shown]))


def check_nonce(transaction: Transaction, nonce: str, profile: Profile | None) -> None:
    """Raise `ValetError` ("page_out_of_date") unless `nonce` is that of the open page."""
    good = page_nonce(transaction, profile)
    if not good or not same(good, nonce):
        raise ValetError("page_out_of_date")


def same(left: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def digest(value: str) -> str:
    """Return the SHA-256 of `value`."""
    return hashlib.sha256(value.encode()).hexdigest()
