"""Where in a request a credential goes, as data.

The names are those of OpenAPI's security schemes (3.1, §4.8.27): `header` and `query` of `apiKey`,
`basic` of `http` (RFC 7617). A bearer (RFC 6750) is a header with a prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# RFC 9110 §5.6.2 `token`, without what no API uses.
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9\-_]{0,63}", re.ASCII)
_PARAMETER = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)
_PREFIX = re.compile(r"(?:[\x21-\x7e]{1,32} ?)?", re.ASCII)
# RFC 7617 §2: a user-id has no colon; and nothing in it may look like something else.
_USER = re.compile(r"[^\s:\x00-\x1f\x7f-\x9f](?:[^:\x00-\x1f\x7f-\x9f]{0,99})")

RESERVED = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "from",
        "host",
        "http2-settings",
        "if-range",
        "keep-alive",
        "origin",
        "range",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
    }
)
"""Headers with a meaning of their own, so that no credential goes into them."""


@dataclass(frozen=True)
class Placement:
    """A header with a prefix, a query parameter, the password of HTTP Basic, or nowhere.

    Nowhere is for an API that wants no credential. `user` is Basic's user name; empty means the
    account's label, which the person typed.
    """

    where: Literal["header", "query", "basic", "nowhere"] = "header"
    name: str = "Authorization"
    prefix: str = "Bearer "
    user: str = ""

    def __post_init__(self) -> None:
        if not self._well_formed():
            raise ValueError("no place for a credential")

    def _well_formed(self) -> bool:
        match self.where:
            case "header":
                usable = _HEADER.fullmatch(self.name) and self.name.lower() not in RESERVED
                return bool(usable and _PREFIX.fullmatch(self.prefix))
            case "query":
                return bool(_PARAMETER.fullmatch(self.name))
            case "nowhere":
                return True
            case _:
                return not self.user or is_user(self.user)

    @property
    def header(self) -> str:
        """Name of the header that carries it; empty for a query parameter."""
        return {"header": self.name, "basic": "Authorization"}.get(self.where, "")


BEARER = Placement()
"""RFC 6750 §2.1: the way of every OAuth token."""

NOWHERE = Placement("nowhere", "", "")
"""For an API that wants no credential."""


def is_user(text: str) -> bool:
    """Tell whether `text` can be a user name of HTTP Basic (RFC 7617 §2)."""
    return _USER.fullmatch(text) is not None and text.isprintable()
