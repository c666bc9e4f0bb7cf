"""What a person chose in the form of a page, read strictly: one of the values that it offers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...wire.errors import ValetError
from ..egress.request import METHODS
from ..policy import Limits
from ..policy.grant import FOREVER, Access
from ..policy.limits import is_glob

Choices = Mapping[str, str]

MOST_PER_HOUR = 100_000
_MOST_ITEMS = 32
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[1-9][0-9]{0,4})?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749 §3.3

RUN = "run"


@dataclass(frozen=True)
class Span:
    """How long a grant holds: for one run of the kernel, or until a time (0: for good)."""

    run: bool = False
    until: float = FOREVER


def access(choices: Choices) -> Access:
    """Return the access that was chosen; to read, unless the form says otherwise."""
    match choices.get("access", "read"):
        case "read":
            return "read"
        case "read_write":
            return "read_write"
    raise _bad("the access")


def span(choices: Choices, now: float, kept: float = FOREVER) -> Span:
    """Return how long the grant shall hold; `kept` is the end that it has."""
    match choices.get("until", "always"):
        case "run":
            return Span(run=True)
        case "today":
            return Span(until=_midnight(now))
        case "month":
            return Span(until=now + timedelta(days=30).total_seconds())
        case "always":
            return Span()
        case "kept":
            return Span(until=kept)
    raise _bad("the time")


def per_hour(choices: Choices) -> int:
    """Return the most calls an hour; 0 where the field was left empty."""
    text = choices.get("per_hour", "").strip()
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 0 < int(text) <= MOST_PER_HOUR:
        raise _bad(f"the calls an hour: a number up to {MOST_PER_HOUR:,}")
    return int(text)


def limits(choices: Choices) -> Limits:
    """Return the limits as they were typed. Raises `ValetError` ("bad_request")."""
    return Limits(
        hosts=_items(choices, "hosts", lambda text: bool(_HOST.fullmatch(text))),
        methods=_items(choices, "methods", lambda text: text in METHODS),
        paths=_items(choices, "paths", is_glob),
        scopes=_items(choices, "scopes", lambda text: bool(_SCOPE.fullmatch(text))),
        per_hour=per_hour(choices),
    )


def understood(choices: Choices) -> bool:
    """Tell whether the box about the isolation was ticked."""
    return choices.get("understood") == "yes"


def ticked(choices: Choices, name: str) -> frozenset[str]:
    """Return the values of the ticked boxes `name0`, `name1`, and so on."""
    boxes = re.compile(rf"{name}[0-9]{{1,4}}")
    return frozenset(value for field, value in choices.items() if boxes.fullmatch(field))


def _items(choices: Choices, name: str, check: Callable[[str], bool]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(choices.get(name, "").split()))
    if len(found) > _MOST_ITEMS:
        raise _bad(f"{name}: {_MOST_ITEMS} at most")
    for item in found:
        if not check(item):
            raise _bad(f"{name}: one is not of the form that docs/grants.md shows")
    return found


def _midnight(now: float) -> float:
    """Return the end of the day, where the server is."""
    day = datetime.fromtimestamp(now).astimezone().date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day).astimezone().timestamp()


def _bad(what: str) -> ValetError:
    return ValetError("bad_request", what=f"the form cannot be used ({what})")
