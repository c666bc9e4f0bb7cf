"""Which headers of a request go on, and which of an answer come back (R94, R97, R111, R119–R126).

What every HTTP client adds by itself is left out without a word. What would make another request of
it somewhere on the way, or of its body another body, is refused: to leave it out would send a
request that nobody wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from ...wire import egress as wire
from ...wire.errors import ValetError
from ..egress.request import usable

Raw = Iterable[tuple[bytes, bytes]]

_CHANGES = ("x-http-method", "x-method-override", "x-original-", "x-rewrite-")
_OURS = frozenset({wire.UPSTREAM.lower(), wire.CARDS.lower(), "content-length"})

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110 §7.6.1: what belongs to one connection."""

_NOT_BACK = _HOP_BY_HOP | {
    # It is decoded here, and `forward` knows the length.
    "content-encoding",
    "content-length",
    # A session of the provider's own, as good as a credential (R97).
    "set-cookie",
    "set-cookie2",
    # They would hold for this listener's origin.
    "alt-svc",
    "clear-site-data",
    "nel",
    "report-to",
    "strict-transport-security",
    # Parts are not asked for (R111), so they are not offered.
    "accept-ranges",
    wire.UPSTREAM.lower(),
}

_URL = re.compile(r"(?:https?://[^\s<>\"',;]+|(?<=<)/[^\s<>\"',;]*)")


def outgoing(raw: Raw) -> dict[str, str]:
    """Return the headers that go on. Raises `ValetError` ("bad_request")."""
    given: dict[str, list[str]] = {}
    for field, value in raw:
        given.setdefault(field.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    for connected in given.pop("connection", []):
        for name in connected.split(","):  # R126
            given.pop(name.strip().lower(), None)
    for name in given:
        if name.startswith(_CHANGES):
            raise ValetError("bad_request", what=f"the header {name} asks for another request")
    if {value.strip().lower() for value in given.get("content-encoding", ())} - {"identity"}:
        raise ValetError("bad_request", what="its body is compressed")
    lines = {name: ", ".join(values).strip() for name, values in given.items()}
    return {n: v for n, v in lines.items() if n not in _OURS and usable(n, v)}


def incoming(
    headers: Mapping[str, str], rewritten: Callable[[str], str]
) -> list[tuple[bytes, bytes]]:
    """Return the headers that come back; `rewritten` changes the URL of a redirect or a link."""
    connected = headers.get("connection", "").lower().split(",")
    dropped = _NOT_BACK.union(name.strip() for name in connected)
    found = [(wire.UPSTREAM.lower().encode(), b"upstream")]
    for name, value in headers.items():
        if name in dropped:
            continue
        if name == "location":
            value = rewritten(value)
        elif name == "link":
            value = _URL.sub(lambda url: rewritten(url[0]), value)
        found.append((name.encode("latin-1", "replace"), value.encode("latin-1", "replace")))
    return found
