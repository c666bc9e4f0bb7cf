"""Did it happen? What is known of a commit whose answer was lost with the connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """What identifies a commit of ours: its transaction, and the state that it would leave."""

    transaction: str
    generation: int
    version: int


def happened(ours: Mark, status: str | None, generation: int, version: int) -> bool | None:
    """Return whether the commit happened, or None when that cannot be told, or not yet.

    `status` is what `pg_xact_status` says; `generation` and `version` are the vault's now. Every
    state has a version of its own, so who sees ours knows, and so does who sees that nobody, or
    somebody else, wrote the generation that would have been ours. Later generations were built on
    ours or without it: there the server's record of its transactions tells.
    """
    if version == ours.version:
        return True
    if status == "in progress":
        return None
    if generation <= ours.generation:
        return False
    return {"committed": True, "aborted": False}.get(status or "")
