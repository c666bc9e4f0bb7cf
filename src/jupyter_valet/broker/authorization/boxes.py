"""The boxes of the consent page, and what was ticked of them (pure)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from ...wire.authorization import ScopeChoice
from ...wire.errors import ValetError
from ..clients import scopes as known
from .family import LONGEST_SECONDS

_BOX = re.compile(r"scope[0-9]{1,4}")
_WEEK = timedelta(days=7).total_seconds()


def asked(text: str | None) -> frozenset[str]:
    """Return the scopes of a request that are ours; the least, when it names none (BP-23)."""
    return known.parse(text or known.INITIAL)


def boxes(
    wanted: Collection[str], had: Collection[str], toolsets: Iterable[str]
) -> list[ScopeChoice]:
    """Return a box for each scope that is wanted, and for its parts where it is for all toolsets.

    One that another holds has no box of its own: ticking the other would tick it.
    """
    found = []
    for scope in sorted(wanted):
        if any(other != scope and known.covers([other], scope) for other in wanted):
            continue
        found.append(ScopeChoice(scope, known.words(scope), had=known.covers(had, scope)))
        found += [
            ScopeChoice(part, known.words(part), ticked=False, narrower=True)
            for part in _parts(scope, sorted(toolsets))
        ]
    return found


def _parts(scope: str, toolsets: list[str]) -> list[str]:
    """Return what a scope for all toolsets holds; nothing for one of a single toolset."""
    match scope:
        case known.READ:
            parts = [f"{known.READ}:{name}" for name in toolsets]
        case known.WRITE:
            reads = [f"{known.READ}:{name}" for name in toolsets]
            parts = [known.READ, *reads, *(f"{known.WRITE}:{name}" for name in toolsets)]
        case _:
            parts = []
    return list(filter(known.is_scope, parts))


def ticked(choices: Mapping[str, str], wanted: Collection[str]) -> tuple[str, ...]:
    """Return the scopes that were ticked, each that no other holds. Raises `ValetError`."""
    chosen = {value for name, value in choices.items() if _BOX.fullmatch(name)}
    if not all(known.is_scope(one) and known.covers(wanted, one) for one in chosen):
        raise ValetError("bad_request", what="the form is not as it was sent out")
    if not chosen:
        raise ValetError("bad_request", what="no box is ticked, so there is nothing to allow")
    return tuple(sorted(one for one in chosen if not known.covers(chosen - {one}, one)))


def until(choices: Mapping[str, str], now: float) -> float:
    """Return the end of the sign-in that was chosen. Raises `ValetError`."""
    match choices.get("until", "quarter"):
        case "today":
            day = datetime.fromtimestamp(now).astimezone().date() + timedelta(days=1)
            return datetime(day.year, day.month, day.day).astimezone().timestamp()
        case "week":
            return now + _WEEK
        case "quarter":
            return now + LONGEST_SECONDS
    raise ValetError("bad_request", what="the form cannot be used (the time)")
