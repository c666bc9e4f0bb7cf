"""How an argument is written into a path, a query, a header or a cookie: OpenAPI's styles.

The tables are those of OpenAPI 3.1.1, §4.8.12.4, which are RFC 6570's. Whatever the style, each
piece of the argument is percent-encoded, so that no argument becomes two; what is not in the tables
(values inside of values) is written as JSON, except for `deepObject`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...wire.errors import ValetError

if TYPE_CHECKING:
    from ..toolsets import Parameter

Encode = Callable[[str], str]

_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json", re.ASCII)
_SEPARATORS = {"spaceDelimited": " ", "tabDelimited": "\t", "pipeDelimited": "|"}
# RFC 6570 §3.2.3 keeps all that is reserved. A `#` would end the target, `&` and `+` mean something
# else in a query, `;` in a path, and brackets are not in our grammar of a target.
_KEPT_IN_QUERY = ":/?@!$'()*,;="
_KEPT_IN_PATH = "/:@!$&'()*+,="


def encode(text: str) -> str:
    """Percent-encode all but RFC 3986's unreserved characters."""
    return text if text.isalnum() and text.isascii() else quote(text, safe="")


def encode_reserved_query(text: str) -> str:
    """Percent-encode what would end a query argument, and leave what is reserved otherwise."""
    return quote(text, safe=_KEPT_IN_QUERY)


def encode_reserved_path(text: str) -> str:
    """Percent-encode what would end the path, and leave what is reserved otherwise."""
    return quote(text, safe=_KEPT_IN_PATH)


def scalar(value: object) -> str:
    """Return `value` as text: JSON's spelling for what is not text already."""
    if isinstance(value, str):
        return value
    # A whole number is written alike everywhere, and an encoder costs more than all the rest.
    return str(value) if type(value) is int else dumps(value)


def dumps(value: object) -> str:
    """Return compact JSON; raises `ValetError` for a number that JSON does not have."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise ValetError("bad_request", what="a value cannot be written as JSON") from None


def in_path(parameter: Parameter, value: object, escape: Encode) -> str:
    """Return what stands in the path for the argument: `simple`, `label` or `matrix`.

    `escape` encodes one piece, and raises `ValetError` for one that may not be in a path.
    """
    if parameter.content:
        return escape(contents(parameter, value))
    pieces, explode = _pieces(value, escape), parameter.explode
    match parameter.style:
        case "label":
            return "." + (".".join(_joined(pieces)) if explode else _plain(pieces))
        case "dotted":
            return "." + _plain(pieces, ".")
        case "matrix":
            return _matrix(encode(parameter.sent_as), pieces, explode)
        case _:
            return ",".join(_joined(pieces)) if explode else _plain(pieces)


def in_header(parameter: Parameter, value: object) -> str:
    """Return the value of a header, style `simple`; nothing is percent-encoded there."""
    if parameter.content:
        return contents(parameter, value)
    pieces = _pieces(value, str)
    return ",".join(_joined(pieces)) if parameter.explode else _plain(pieces)


def in_query(parameter: Parameter, value: object, escape: Encode = encode) -> list[str]:
    """Return the `name=value` pairs of a query or a cookie, encoded."""
    return [f"{name}={text}" for name, text in pairs(parameter, value, escape, encode)]


def in_form(parameter: Parameter, value: object) -> list[str]:
    """Return the pairs of a form, encoded (WHATWG URL §5.2)."""
    return [f"{name}={text}" for name, text in pairs(parameter, value, _form, _form)]


def pairs(
    parameter: Parameter, value: object, escape: Encode, escape_name: Encode
) -> list[tuple[str, str]]:
    """Return names and values: `form`, the delimited styles or `deepObject`.

    An empty list or object is undefined in RFC 6570 §2.3, so there is no pair for it.
    """
    name = escape_name(parameter.sent_as)
    if parameter.content:
        return [(name, escape(contents(parameter, value)))]
    if parameter.style == "deepObject":
        return [(path, escape(text)) for path, text in _deep(name, value, escape_name)]
    pieces = _pieces(value, escape)
    if isinstance(pieces, str):
        return [(name, pieces)]
    if parameter.explode:
        return [(k or name, v) for k, v in pieces]
    separator = escape(_SEPARATORS.get(parameter.style, "")) or ","
    return [(name, _plain(pieces, separator))] if pieces else []


def contents(parameter: Parameter, value: object) -> str:
    """Return the text of a value that is written in a media type: JSON, or text as it is."""
    return dumps(value) if _JSON.fullmatch(parameter.content) else scalar(value)


def _form(text: str) -> str:
    return quote(text, safe=" *").replace("~", "%7E").replace(" ", "+")


def _pieces(value: object, escape: Encode) -> str | list[tuple[str, str]]:
    """Return the one piece that `value` is, or its members with their names (empty in a list)."""
    match value:
        case dict():
            return [(escape(str(k)), escape(scalar(v))) for k, v in value.items()]
        case list() | tuple():
            return [("", escape(scalar(item))) for item in value]
        case _:
            return escape(scalar(value))


def _plain(pieces: str | list[tuple[str, str]], separator: str = ",") -> str:
    if isinstance(pieces, str):
        return pieces
    return separator.join(part for k, v in pieces for part in ((k, v) if k else (v,)))


def _joined(pieces: str | list[tuple[str, str]]) -> Iterable[str]:
    if isinstance(pieces, str):
        return [_plain(pieces)]
    return [f"{k}={v}" if k else v for k, v in pieces]


def _matrix(name: str, pieces: str | list[tuple[str, str]], explode: bool) -> str:
    if explode and not isinstance(pieces, str):
        return "".join(f";{k or name}={v}" for k, v in pieces)
    text = _plain(pieces)
    return f";{name}={text}" if text else f";{name}"


def _deep(name: str, value: object, escape_name: Encode) -> list[tuple[str, str]]:
    """Return `name[member]` and so on; a list repeats its name, which the standard leaves open."""
    if isinstance(value, dict):
        members = [(f"{name}{escape_name(f'[{k}]')}", v) for k, v in value.items()]
    elif isinstance(value, list):
        members = [(name, item) for item in value]
    else:
        return [(name, scalar(value))]
    return [pair for path, v in members for pair in _deep(path, v, escape_name)]
