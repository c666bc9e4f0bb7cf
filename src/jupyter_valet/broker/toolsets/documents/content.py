"""The media type of a body that is used, of those that a document has (OpenAPI 3.1.1, §4.8.14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .keywords import DESCRIPTION
from .text import media_type, words
from .unusable import Unusable

BYTES, RELATED = "application/octet-stream", "multipart/related"

_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json")
_TEXTUAL = re.compile(
    r"text/.*|application/(?:[\w.-]+\+)?xml|application/(?:x-)?(?:ndjson|jsonl)"
    r"|application/(?:[\w.-]+\+)?(?:json-seq|yaml|sql)"
)

Kind = Literal["json", "form", "multipart", "related", "raw"]


@dataclass(frozen=True)
class Content:
    """One media type of a body, and what the document says about it."""

    kind: Kind
    media_type: str
    schema: object
    encoding: Mapping[str, Any]
    description: str
    required: bool
    optional: bool
    """Whether the document says so; when it says nothing, required members are required."""


def chosen(contents: Mapping[str, Any], node: Mapping[str, Any]) -> Content:
    """Prefer JSON, then forms, then text, then bytes."""
    named = {kind: name for name in contents if (kind := media_type(name))}
    if not named:
        raise Unusable("its body has no media type")
    best = min(named, key=_preference)
    described = contents[named[best]]
    described = described if isinstance(described, dict) else {}
    encoding = described.get("encoding")
    return Content(
        _kind_of(best),
        best,
        described.get("schema", {}),
        encoding if isinstance(encoding, dict) else {},
        words(node.get("description"), DESCRIPTION),
        node.get("required") is True,
        node.get("required") is False,
    )


def _preference(kind: str) -> int:
    order = (
        kind == "application/json",
        _JSON.fullmatch(kind),
        kind == _FORM,
        kind == _MULTIPART,
        is_text(kind),
        True,
    )
    return next(place for place, holds in enumerate(order) if holds)


def _kind_of(kind: str) -> Kind:
    if _JSON.fullmatch(kind):
        return "json"
    kinds: Mapping[str, Kind] = {_FORM: "form", _MULTIPART: "multipart", RELATED: "related"}
    return kinds.get(kind, "raw")


def is_text(kind: str) -> bool:
    """Tell whether a body of this type is text, so that it is given as it is."""
    return bool(_TEXTUAL.fullmatch(kind) or _JSON.fullmatch(kind))
