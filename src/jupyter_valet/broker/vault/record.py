"""What a vault hands out: one record, with its payload still a `Secret`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...wire.errors import ValetError
from ..secret import Secret
from .change import Held
from .sealing import canonical, weight

LARGEST = 1 << 20
"""Bytes of metadata and payload together."""

RESERVED = "valet."
"""Kinds that begin like this are the vault's own."""

_LONGEST_NAME = 512


@dataclass(frozen=True)
class Record:
    """A record as it was stored; `meta` is a copy that the reader may change.

    `revision` grows with every write to the vault and is never used twice, so it tells a record
    from one of the same name that was deleted and made again. `updated_at` is in seconds since
    the epoch.
    """

    kind: str
    id: str
    meta: dict[str, Any]
    payload: Secret
    revision: int
    updated_at: float


def record_of(held: Held) -> Record:
    """Return what is told of a record."""
    facts = held.facts
    meta: dict[str, Any] = json.loads(facts.meta)
    return Record(facts.kind, facts.id, meta, held.payload, facts.revision, facts.updated_at)


def checked_meta(kind: str, record_id: str, meta: Any, payload: Secret) -> str:
    """Return the canonical metadata of a record that may be stored.

    Raises `ValetError` ("bad_request") when a name is odd, the metadata is no JSON object, or the
    record is larger than `LARGEST`.
    """
    if not _is_name(kind) or not _is_name(record_id):
        raise ValetError("bad_request", what="a record of the vault needs a kind and an id")
    try:
        text = canonical(dict(meta))
        size = len(text.encode()) + weight(payload)
    except (TypeError, ValueError, RecursionError):
        raise ValetError("bad_request", what="metadata must be a JSON object") from None
    if size > LARGEST:
        raise ValetError("bad_request", what="a record of the vault may have 1 MiB at most")
    return text


def _is_name(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= _LONGEST_NAME and text.isprintable()
