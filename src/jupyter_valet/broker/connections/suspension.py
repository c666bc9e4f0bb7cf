"""How often a provider's answers contained the credential, and the end of using it (D8, R142).

An upstream that echoes can be asked again and again in ever new ways. The third hit ends it until
the person has signed in anew, whatever the caller tries; the count is in the vault, so that no
restart begins it again.
"""

from __future__ import annotations

from typing import Any

from ..vault import Conflict, Record
from .connection import ACTIVE, SUSPENDED
from .held import Held

MOST_HITS = 3
"""Answers with the credential in them, after which a connection is suspended."""

REASON = f"{MOST_HITS} answers contained its credential, so it is suspended until you sign in again"


def count(held: Held, id: str) -> Record | None:
    """Count one more hit, durable when this returns; None when the connection has ended."""
    while (record := held.record(id)) is not None:
        meta = _counted(record.meta)
        try:
            return held.put(id, meta, held.tokens(record), expect=record.revision)
        except Conflict:  # another hit, or a refresh, came first
            continue
    return None


def hits(record: Record) -> int:
    """Return how many answers contained the credential since the person signed in."""
    found: int = record.meta.get("hits", 0)
    return found


def _counted(meta: dict[str, Any]) -> dict[str, Any]:
    now = {**meta, "hits": meta.get("hits", 0) + 1}
    if now["hits"] >= MOST_HITS and now["status"] == ACTIVE:
        now |= {"status": SUSPENDED, "reason": REASON}
    return now
