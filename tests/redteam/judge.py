"""From what an attack said to a verdict, by what the harness knows and the attack does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from channel import Got
from table import Row, Seen

_ALWAYS = frozenset({"database"})
"""Planted secrets that count only for the rows that name them."""

_WALLS = frozenset(
    {
        "OSError",
        "ValetError",
        "SecretStorageException",
        "DBusErrorResponse",
        "ZMQBaseError",
        "WebSocketException",
        "JeepneyException",
        "BrowserError",
    }
)
"""What an attack may raise when it meets a defence; anything else means that it is broken."""


def judge(
    row: Row, got: Got, after: str, mark: Path, planted: Mapping[str, str], vault: Iterable[str]
) -> Seen:
    """Return the verdict, with the words that show why."""
    said = f"{got.text} {after}".strip()
    if mark.exists():
        return Seen("X", "the payload ran outside")
    if found := sorted(_found(row, said, planted, vault)):
        return Seen("X", f"got the secret: {', '.join(found)}")
    if _controls(got, after):
        return Seen("X", _short(said.replace("AFTER ", "")))
    if got.text.startswith("USE"):
        return Seen("U", _short(said))
    if got.kinds and not _WALLS & set(got.kinds):
        return Seen("broken", _short(said))
    return Seen("B", _short(said))


def _controls(got: Got, after: str) -> bool:
    return (not got.kinds and "CONTROL " in got.text[:20]) or after.startswith("CONTROL ")


def _found(row: Row, said: str, planted: Mapping[str, str], vault: Iterable[str]) -> Iterable[str]:
    wanted = set(row.loot or planted.keys() - _ALWAYS)
    for name in wanted & planted.keys():
        if planted[name] in said:
            yield name
    if (not row.loot or "vault" in row.loot) and any(secret in said for secret in vault):
        yield "a credential of the vault"


def _short(text: str) -> str:
    """Return one line without the secrets that are no credential of anybody's."""
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."
