"""Build a request from an operation and its arguments: parsed parts in, one exact target out.

An argument is data and stays data: a path argument stays within its place in the path, a query
argument within its value, a header argument within its line, and no argument reaches the host, the
method, or a header that the operation does not declare (L3, L8, R127, R128).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgspec import Struct, field

from ...wire.errors import ValetError
from . import styles
from .origin import Origin, check_target
from .payload import payload
from .placement import RESERVED

if TYPE_CHECKING:
    from ..toolsets import Operation, Parameter, Toolset

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN = re.compile(r"[A-Za-z0-9_\-]+")
_SIMPLE = ("", "simple")
_SCALARS = (str, int)
"""Types of which `str` is what goes into a path; a boolean is of neither."""
_SEPARATORS = re.compile(r"[/\\]")
_DECODINGS = 3
"""How often an upstream and its proxies may decode a path before it reaches a router."""

SAFE_METHODS = frozenset({"GET", "HEAD", "QUERY"})
"""Methods that change nothing (RFC 9110 §9.2.1; QUERY is a GET with a body)."""

METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
"""What may be asked of an API: TRACE echoes the request, CONNECT opens a tunnel (R110)."""

_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9\-_]{0,63}", re.ASCII)
_VALUE = re.compile(r"[\x20-\x7e]*")
# RFC 6265 §4.1.1, without quoted values; the pairs are percent-encoded ones.
_COOKIES = re.compile(
    r"(?:[A-Za-z0-9!#$%&'*+.^_`|~-]+=[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e,]*(?:; )?)*"
)
_OURS = RESERVED - {"accept", "content-type"} | {"authorization"}
_REWRITES = ("proxy-", "sec-", "x-forwarded", "x-http-method", "x-method-override", "x-original-",
             "x-rewrite-")  # fmt: skip
"""Headers by which a proxy or a framework takes another request for this one (R123–R125)."""


class Request(Struct, frozen=True):
    """What goes out, but for the credential. `target` is the encoded path with its query.

    `cookies` are those that an operation declares, as one header's value; the header itself is
    nothing that a caller names. Raises `ValueError` for what no toolset may ask for, whoever wrote
    it: a method that is not one of an API, a target outside the strict grammar, a header that is
    the egress's own.
    """

    method: str
    origin: Origin
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cookies: str = ""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError("not a method of an API")
        check_target(self.target)
        for name, value in self.headers.items():
            if not usable(name, value):
                raise ValueError("not a header that a toolset sets")
        if not _COOKIES.fullmatch(self.cookies):
            raise ValueError("not cookies")

    @property
    def url(self) -> str:
        """The absolute URL."""
        return self.origin.url(self.target)

    @property
    def lines(self) -> dict[str, str]:
        """The headers as they are sent."""
        return {**self.headers, "Cookie": self.cookies} if self.cookies else dict(self.headers)


def may_be_argument(header: str) -> bool:
    """Tell whether an operation may take `header` from its caller, by its name."""
    return usable(header, "") and header.lower() not in ("accept", "content-type")


def usable(name: str, value: str) -> bool:
    """No credential, no framing, no rewriting, no line break (R111, R122–R126, R128)."""
    return _VALUE.fullmatch(value) is not None and _is_field(name)


@lru_cache(maxsize=1024)
def _is_field(name: str) -> bool:
    """Tell it of a name, of which there are few, and each in every call."""
    low = name.lower()
    return bool(_FIELD.fullmatch(name)) and low not in _OURS and not low.startswith(_REWRITES)


def build(toolset: Toolset, operation: Operation, arguments: Mapping[str, Any]) -> Request:
    """Return the request that `operation` makes of `arguments`, which its schema has accepted.

    Raises `ValetError` for an argument that cannot be where it belongs: a path argument that could
    name something else, a header with a line break, a body that is not what it says.
    """
    if operation.defaults:
        arguments = {**operation.defaults, **arguments}
    given = [(p, arguments[p.name]) for p in operation.parameters if p.name in arguments]
    headers = {"Accept": operation.accept or "application/json", **toolset.headers}
    headers |= operation.fixed_headers
    segments: dict[str, str] = {}
    query = [f"{styles.encode(k)}={styles.encode(v)}" for k, v in operation.fixed_query]
    cookies: list[str] = []
    has_body = _wants_body(operation)
    for parameter, value in given:
        match parameter.where:
            case "path":
                plain = _as_it_is(parameter, value)
                segments[parameter.name] = plain or _in_path(operation, parameter, value)
            case "query":
                query += _pairs(parameter, value)
            case "querystring":
                query += _whole_query(parameter, value)
            case "header":
                headers[parameter.sent_as] = _header(parameter, value)
            case "cookie":
                cookies += _pairs(parameter, value)
            case "body":
                has_body = True
    path = _path(operation, segments)
    body = None
    if has_body:
        assert operation.body is not None
        body, headers["Content-Type"] = payload(operation.body, given)
    return Request(
        operation.method,
        toolset.origin_of(operation),
        f"{path}?{'&'.join(query)}" if query else path,
        headers,
        body,
        "; ".join(cookies),
    )


def _wants_body(operation: Operation) -> bool:
    """Tell whether there is a body though no argument is in it."""
    required = operation.body is not None and operation.body.required
    return required and operation.method not in ("GET", "HEAD", "DELETE")


def _path(operation: Operation, segments: Mapping[str, str]) -> str:
    path = operation.path.format_map(segments)
    if segments and _climbs(path):
        names = ", ".join(segments)
        raise ValetError("bad_request", what=f"{names} would name another path")
    return path


def _as_it_is(parameter: Parameter, value: object) -> str:
    """Return what most arguments are, a word or a number that needs no encoding; else nothing."""
    if parameter.content or parameter.style not in _SIMPLE or type(value) not in _SCALARS:
        return ""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else ""


def _in_path(operation: Operation, parameter: Parameter, value: object) -> str:
    def escape(text: str) -> str:
        _check_piece(parameter, text, empty=_may_be_empty(operation, parameter))
        return styles.encode_reserved_path(text) if parameter.reserved else styles.encode(text)

    text = styles.in_path(parameter, value, escape)
    if not text and not parameter.reserved:
        raise ValetError("bad_request", what=f"{parameter.name} is empty")
    return text


def _may_be_empty(operation: Operation, parameter: Parameter) -> bool:
    """Tell whether nothing is something: the root of a repository, `;color`."""
    return parameter.style == "matrix" or (parameter.reserved and operation.access == "read")


def _check_piece(parameter: Parameter, text: str, *, empty: bool) -> None:
    """Refuse what a server that decodes it, once or more often, takes for another path (L3).

    Percent-encoding alone is not enough: a dot segment survives it, and an encoded one survives it
    too and is decoded later. A parameter with several segments may have slashes, but none of them
    empty.
    """
    if _PLAIN.fullmatch(text):
        return
    torn = parameter.reserved and (text.startswith("/") or "//" in text)
    if torn or not (text or empty):
        raise ValetError("bad_request", what=f"{parameter.name} is not a plain name")
    decoded = text
    for _ in range(_DECODINGS + 1):
        if _CONTROL.search(decoded) or any(
            part in (".", "..") for part in _SEPARATORS.split(decoded)
        ):
            raise ValetError("bad_request", what=f"{parameter.name} is not a plain name")
        decoded = unquote(decoded)


def _climbs(path: str) -> bool:
    """Tell whether pieces that are harmless apart make a dot segment together."""
    for _ in range(_DECODINGS + 1):
        if "." in path and any(part in (".", "..") for part in _SEPARATORS.split(path)):
            return True
        if "%" not in path:
            return False
        path = unquote(path)
    return False


def _whole_query(parameter: Parameter, value: object) -> Sequence[str]:
    """Return the query that one argument is all of (OpenAPI 3.2.0, §4.12.3.2)."""
    if not isinstance(value, dict):
        return [styles.encode(styles.contents(parameter, value))]
    if parameter.content != "application/x-www-form-urlencoded":
        return [styles.encode(styles.dumps(value))]
    return [
        f"{styles.encode(name)}={styles.encode(styles.scalar(item))}"
        for name, items in value.items()
        for item in (items if isinstance(items, list) else [items])
    ]


def _pairs(parameter: Parameter, value: object) -> Sequence[str]:
    if value is None:
        return []
    escape = styles.encode_reserved_query if parameter.reserved else styles.encode
    return styles.in_query(parameter, value, escape)


def _header(parameter: Parameter, value: object) -> str:
    text = styles.in_header(parameter, value)
    if not _VALUE.fullmatch(text) or text != text.strip():
        raise ValetError("bad_request", what=f"{parameter.name} cannot be sent in a header")
    return text
