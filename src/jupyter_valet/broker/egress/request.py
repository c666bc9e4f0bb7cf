"""Build a request from an operation and its arguments: parsed parts in, one exact target out.

An argument is data and stays data: one path argument is one segment, a query argument is one
value, and no argument reaches the host, the method or a header (L3, L8, R127, R128).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from ...wire.errors import ValetError
from .origin import Origin, check_target
from .placement import RESERVED

if TYPE_CHECKING:
    from ..toolsets import Operation, Parameter, Toolset

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SEPARATORS = re.compile(r"[/\\]")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
"""What nothing along the way reads in another way than it is written."""
_DECODINGS = 3
"""How often an upstream and its proxies may decode a path before it reaches a router."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""What may be asked of an API: TRACE echoes the request, CONNECT opens a tunnel (R110)."""

_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9\-_]{0,63}", re.ASCII)
_VALUE = re.compile(r"[\x20-\x7e]*")
_OURS = RESERVED - {"accept", "content-type"} | {"authorization"}
_REWRITES = ("proxy-", "sec-", "x-forwarded", "x-http-method", "x-method-override", "x-original-",
             "x-rewrite-")  # fmt: skip
"""Headers by which a proxy or a framework takes another request for this one (R123–R125)."""


@dataclass(frozen=True)
class Request:
    """What goes out, but for the credential. `target` is the encoded path with its query.

    Raises `ValueError` for what no toolset may ask for, whoever wrote it: a method that is not
    one of an API, a target outside the strict grammar, a header that is the egress's own.
    """

    method: str
    origin: Origin
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError("not a method of an API")
        check_target(self.target)
        for name, value in self.headers.items():
            if not _usable(name, value):
                raise ValueError("not a header that a toolset sets")

    @property
    def url(self) -> str:
        """The absolute URL."""
        return self.origin.url(self.target)


def _usable(name: str, value: str) -> bool:
    """No credential, no framing, no rewriting, no line break (R111, R122–R126, R128)."""
    if not _FIELD.fullmatch(name) or not _VALUE.fullmatch(value):
        return False
    return name.lower() not in _OURS and not name.lower().startswith(_REWRITES)


def build(toolset: Toolset, operation: Operation, arguments: Mapping[str, Any]) -> Request:
    """Return the request that `operation` makes of `arguments`, which its schema has accepted.

    Raises `ValetError` for a path argument that could name more than one segment.
    """
    given = [(p, arguments[p.name]) for p in operation.parameters if p.name in arguments]
    path = operation.path.format_map(
        {p.name: _segment(p, v) for p, v in given if p.where == "path"}
    )
    query = [
        *operation.fixed_query,
        *((p.sent_as, _text(v)) for p, v in given if p.where == "query"),
    ]
    fields = {p.sent_as: value for p, value in given if p.where == "body"}
    headers = {"Accept": "application/json", **toolset.headers}
    body = None
    if operation.access == "write" and operation.method != "DELETE":
        body = json.dumps(fields, separators=(",", ":")).encode()
        headers["Content-Type"] = "application/json"
    return Request(
        method=operation.method,
        origin=toolset.origin_of(operation),
        target=f"{path}?{urlencode(query, quote_via=quote, safe='')}" if query else path,
        headers=headers,
        body=body,
    )


def _segment(parameter: Parameter, value: object) -> str:
    """Encode `value` as exactly one path segment.

    `quote(safe="")` alone is not enough: a dot segment survives it, and an encoded one survives
    it too and is decoded later, once or more often (L3).
    """
    text = _text(value)
    if _PLAIN.fullmatch(text):
        return text
    decoded = text
    for _ in range(_DECODINGS + 1):
        parts = _SEPARATORS.split(decoded)
        if not text or _CONTROL.search(decoded) or any(part in (".", "..") for part in parts):
            raise ValetError("bad_request", what=f"{parameter.name} is not a plain name")
        decoded = unquote(decoded)
    return quote(text, safe="")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(_text(item) for item in value)
    return str(value)
