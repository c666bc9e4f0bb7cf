"""Moving into another database: everything a vault holds, sealed anew in an empty one."""

from __future__ import annotations

from dataclasses import replace

from .change import Contents
from .engine import Engine
from .errors import Conflict


def adopt(engine: Engine, theirs: Contents) -> int:
    """Store all of `theirs` in one transaction, and return how many records that were.

    Payloads, metadata, times of writing and used tokens stay as they are; keys and revisions are
    the new vault's own. Raises `Conflict` when the new vault holds anything.
    """
    with engine.changing() as change:
        ours = change.contents
        if any(ours.records.values()) or ours.redeemed:
            raise Conflict("the vault to move into is not empty")
        records = [held for kind in theirs.records.values() for held in kind.values()]
        for held in records:
            facts = replace(
                held.facts,
                vault_id=change.vault_id,
                key_version=change.key_version,
                revision=change.generation,
            )
            change.put(facts, held.payload)
        for digest, expires_at in theirs.redeemed.items():
            change.redeem(digest, expires_at)
    return len(records)
