"""JSON objects from a provider, without the freedoms that differ between parsers (RFC 8259 §4)."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def loads_object(body: bytes) -> dict[str, Any]:
    """Parse `body` as one JSON object.

    Raises `ValueError`, without any of the text, for duplicate names (two parsers would see two
    tokens), NaN, deep nesting, bad UTF-8 and anything that is not an object.
    """
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise ValueError("not a JSON object of the strict form") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one kind of error for all of it
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _no_constant(_: str) -> NoReturn:
    raise ValueError("not a number of JSON")
