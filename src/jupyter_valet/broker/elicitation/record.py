"""A transaction as a vault record: facts in clear, the PKCE verifier sealed, the nonce nowhere."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from ...wire.views import TransactionState
from ..oauth import Pending
from ..secret import Secret
from ..vault import Record
from .transaction import Failure, Transaction

KIND = "transaction"
_PLAIN = (
    "principal",
    "kernel_id",
    "notebook",
    "origin",
    "provider",
    "reason",
    "created_at",
    "expires_at",
    "account",
    "connection_id",
    "binding_digest",
    "select_account",
)


def to_meta(transaction: Transaction) -> dict[str, Any]:
    """Return what of `transaction` may be stored as metadata: no nonce, state, code or verifier."""
    meta: dict[str, Any] = {name: getattr(transaction, name) for name in _PLAIN}
    meta["scopes"] = sorted(transaction.scopes)
    meta["state"] = str(transaction.state)
    meta["failure"] = asdict(transaction.failure) if transaction.failure else None
    meta["pending"] = transaction.pending.to_meta() if transaction.pending else None
    return meta


def payload(transaction: Transaction) -> Secret:
    """Return what must be sealed: the PKCE verifier, or nothing."""
    return transaction.pending.verifier if transaction.pending else Secret("")


def from_record(record: Record, nonce: str) -> Transaction:
    """Return the transaction that `record` holds; `nonce` comes from memory."""
    meta = record.meta
    failure = meta["failure"]
    pending = meta["pending"]
    return replace(
        Transaction(
            id=record.id,
            scopes=frozenset(meta["scopes"]),
            state=TransactionState(meta["state"]),
            revision=record.revision,
            nonce=nonce,
            **{name: meta[name] for name in _PLAIN},
        ),
        failure=Failure(**failure) if failure else None,
        pending=Pending.from_meta(pending, record.payload) if pending else None,
    )
