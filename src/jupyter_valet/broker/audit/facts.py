"""The actions and facts that may be recorded: the same list as the event schema has."""

from __future__ import annotations

ACTIONS = frozenset(
    {
        "app.saved",
        "app.ended",
        "approval.declined",
        "approval.given",
        "approval.used",
        "capability.refused",
        "client_key.made",
        "client_key.ended",
        "client_app.allowed",
        "client_app.declined",
        "client_app.ended",
        "client_app.replayed",
        "connection.made",
        "connection.refreshed",
        "connection.used",
        "connection.refused",
        "connection.suspended",
        "connection.ended",
        "connection.revoked",
        "function.called",
        "toolset.added",
        "toolset.removed",
        "grant.made",
        "grant.ended",
        "transaction.approved",
        "transaction.declined",
        "transaction.failed",
        "upstream.added",
        "upstream.asked",
        "upstream.changed",
        "upstream.removed",
        "upstream.tool_changed",
    }
)

FACTS: dict[str, type | tuple[type, ...]] = {
    "reason": str,
    "method": str,
    "host": str,
    "scopes": str,
    "status": int,
    "size": int,
    "milliseconds": (int, float),
    "attempt": int,
    "key_version": int,
    "access": str,
}
"""Facts besides the fixed fields, by name, with their types."""

LONGEST = 200
"""Characters of a text in the log."""

Fact = str | int | float | bool


def plain(text: str) -> str:
    """Return `text` on one line: no control, bidirectional or other invisible characters."""
    shown = text if text.isprintable() else "".join(filter(str.isprintable, text))
    return shown[:LONGEST]


def _plain_all(texts: dict[str, str]) -> dict[str, str]:
    """Return what `plain` makes of each; most are plain already."""
    if max(map(len, texts.values())) <= LONGEST and "".join(texts.values()).isprintable():
        return texts
    return {name: plain(text) for name, text in texts.items()}


def checked(
    action: str, principal: str, outcome: str, fields: dict[str, str], facts: dict[str, Fact]
) -> dict[str, Fact]:
    """Return what is recorded: the fields that say something, and the facts.

    Raises `ValueError` for an action or fact that is not on the list, and `TypeError` for a fact of
    another type: somebody would have to think first about whether it may be recorded at all.
    """
    if action not in ACTIONS:
        raise ValueError(f"no action of the audit: {action}")
    said = {name: text for name, text in fields.items() if text}
    texts = _plain_all({"principal": principal, "outcome": outcome, **said})
    event: dict[str, Fact] = {"action": action, **texts}
    for name, fact in facts.items():
        if name not in FACTS:
            raise ValueError(f"no fact of the audit: {name}")
        if isinstance(fact, bool) or not isinstance(fact, FACTS[name]):
            raise TypeError(f"another type of fact than the audit has: {name}")
        event[name] = plain(fact) if isinstance(fact, str) else fact
    return event
