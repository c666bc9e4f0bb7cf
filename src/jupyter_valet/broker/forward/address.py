"""From the path of a request to us to the provider, the origin and the target that it means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...wire import egress as wire
from ...wire.errors import ValetError
from ..egress.origin import Origin

_ROUTE = re.compile(
    rf"{wire.ROUTE}/([a-z][a-z0-9_]{{0,31}})/(https?)/([^/?#]+)(/.*)?", re.ASCII | re.DOTALL
)
_FACTS = re.compile(rf"{wire.ROUTE}/([a-z][a-z0-9_]{{0,31}})", re.ASCII)
# Characters that clients leave as they are although a URL does not hold them (RFC 3986 §2). What
# they are encoded as means the same everywhere; a backslash or a space does not, so they stay out.
_LENIENT = re.compile(r'["<>\[\]^`{|}]')


@dataclass(frozen=True)
class Address:
    """Where a request is to go, in parsed parts."""

    provider: str
    origin: Origin
    target: str


def address(raw_path: str, query: str) -> Address:
    """Read the path and query of a request to us. Raises `ValetError` ("bad_request")."""
    match = _ROUTE.fullmatch(raw_path)
    if match is None:
        raise ValetError("bad_request", what=f"its path is not {wire.ROUTE}/PROVIDER/https/HOST/…")
    try:
        origin = Origin.parse(f"{match[2]}://{match[3]}")
    except ValueError:
        raise ValetError("bad_request", what="its host is not one of the strict form") from None
    target = (match[4] or "/") + (f"?{query}" if query else "")
    return Address(match[1], origin, _LENIENT.sub(_encoded, target))


def facts_of(raw_path: str) -> str | None:
    """Return the provider that is asked about, when nothing is to be sent to it."""
    match = _FACTS.fullmatch(raw_path)
    return match[1] if match else None


def _encoded(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"
