"""A transaction as a vault record: facts in clear, the nonce nowhere.

Sealed are a sign-in's PKCE verifier or its code, and the text of a write that waits for its
approval.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from ...wire.control import PreviewView
from ...wire.views import Kind, TransactionState
from ..oauth import DeviceCode, Pending
from ..reveal import reveal
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
    "root",
    "client",
    "access",
    "tool",
    "digest",
    "target",
    "level",
    "by_code",
)


def to_meta(transaction: Transaction) -> dict[str, Any]:
    """Return what of `transaction` may be stored as metadata: no nonce, state, code or verifier."""
    meta: dict[str, Any] = {name: getattr(transaction, name) for name in _PLAIN}
    meta["scopes"] = sorted(transaction.scopes)
    meta["state"] = str(transaction.state)
    meta["kind"] = str(transaction.kind)
    meta["failure"] = asdict(transaction.failure) if transaction.failure else None
    meta["pending"] = transaction.pending.to_meta() if transaction.pending else None
    meta["device"] = transaction.device.to_meta() if transaction.device else None
    return meta


def payload(transaction: Transaction) -> Secret:
    """Return what must be sealed: the PKCE verifier, a code, a preview, or nothing."""
    if transaction.preview is not None and not transaction.state.final:
        return Secret(json.dumps(transaction.preview.to_json()))
    if transaction.device is not None:
        return _codes(transaction.device)
    return transaction.pending.verifier if transaction.pending else Secret("")


def from_record(record: Record, nonce: str) -> Transaction:
    """Return the transaction that `record` holds; `nonce` comes from memory."""
    meta = record.meta
    failure = meta["failure"]
    pending, device = meta["pending"], meta.get("device")
    return replace(
        Transaction(
            id=record.id,
            scopes=frozenset(meta["scopes"]),
            state=TransactionState(meta["state"]),
            kind=Kind(meta.get("kind", Kind.SIGN_IN)),
            preview=_preview(meta, record.payload),
            revision=record.revision,
            nonce=nonce,
            **{name: meta[name] for name in _PLAIN if name in meta},
        ),
        failure=Failure(**failure) if failure else None,
        pending=Pending.from_meta(pending, record.payload) if pending else None,
        device=DeviceCode.from_meta(device, json.loads(reveal(record.payload))) if device else None,
    )


def _codes(device: DeviceCode) -> Secret:
    sealed = {name: getattr(device, name) for name in DeviceCode.SEALED}
    return Secret(json.dumps({**sealed, "device_code": reveal(device.device_code)}))


def _preview(meta: dict[str, Any], sealed: Secret) -> PreviewView | None:
    if meta.get("kind") != Kind.APPROVAL or not sealed:
        return None
    return PreviewView.from_json(json.loads(reveal(sealed)))
