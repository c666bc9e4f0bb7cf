"""From what an attack said to what was seen, by what the doctor knows and the attack does not."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .rows import Row
from .snippet import Got

_WALLS = frozenset({"OSError", "ZMQBaseError", "WebSocketException"})
"""What an attack may raise when it meets a wall; anything else means that it did not run."""

_LACKS = frozenset({"ImportError"})


class Verdict(enum.StrEnum):
    """What was seen of one attack."""

    BLOCKED = "blocked"
    OPEN = "open"
    UNTRIED = "untried"


@dataclass(frozen=True)
class Seen:
    """One row's verdict. `detail` is what stopped it, never what was got."""

    row: Row
    verdict: Verdict
    detail: str = ""
    proved: bool | None = None
    """Whether the same attack was seen to succeed where nothing defends; None: not looked at."""


def judge(row: Row, got: Got, secrets: Mapping[str, str], *, marked: bool = False) -> Seen:
    """Return what `got` means. `marked` tells that a payload ran where no kernel should run it."""
    if marked or _succeeded(row, got, secrets):
        return Seen(row, Verdict.OPEN)
    if _LACKS & set(got.kinds):
        return Seen(row, Verdict.UNTRIED, f"the kernel lacks what it takes: {_line(got.text)}")
    if got.kinds and not _WALLS & set(got.kinds):
        return Seen(row, Verdict.UNTRIED, f"it did not work out: {_line(got.text)}")
    return Seen(row, Verdict.BLOCKED, _line(got.text) if got.kinds else "it got nothing")


def _succeeded(row: Row, got: Got, secrets: Mapping[str, str]) -> bool:
    wanted = row.loot or secrets
    if any(secrets[name] in got.text for name in wanted if name in secrets):
        return True
    return not got.kinds and not row.loot and got.text.startswith(("CONTROL ", "USE "))


def worse_than_claimed(level: str, seen: Iterable[Seen]) -> list[Seen]:
    """Return the rows that are open although the level says that they are blocked."""
    return [one for one in seen if one.verdict is Verdict.OPEN and one.row.claimed_at(level)]


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:119] + "\N{HORIZONTAL ELLIPSIS}"
