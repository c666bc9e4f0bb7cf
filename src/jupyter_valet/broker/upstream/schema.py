"""A JSON Schema from outside, before anything compiles it or a model reads it.

What it refers to must be in it: a validator that fetched a reference would be a way to make the
broker fetch (BP-09), and a schema of any size or depth a way to make it work.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

LARGEST = 64_000
"""Bytes of one schema as JSON."""

DEEPEST = 40
LONGEST_TEXT = 1_000
"""Characters of a description in a schema."""

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_DIALECTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-04/schema",
)
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose members have names of the author's choice."""

_DATA = frozenset({"enum", "const", "default", "examples"})
"""Keywords whose values are no schemas."""

_SPOKEN = frozenset({"description", "title", "$comment"})


class BadSchema(ValueError):
    """The schema is not one that a tool may have; the text says why, in words of ours."""


def checked(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return `schema` with its texts made harmless. Raises `BadSchema`."""
    try:
        size = len(json.dumps(schema))
    except (TypeError, ValueError, RecursionError):
        raise BadSchema("its schema is no JSON") from None
    if size > LARGEST:
        raise BadSchema("its schema is too large")
    found = _clean(schema, 0)
    if found.get("type") != "object":
        raise BadSchema("its schema is not that of an object")
    if not isinstance(found.get("properties", {}), dict):
        raise BadSchema("its schema has no properties")
    dialect = found.get("$schema", _DIALECTS[0])
    if not isinstance(dialect, str) or dialect.rstrip("#") not in _DIALECTS:
        raise BadSchema("its schema is of a dialect that is not known")
    return {"properties": {}, **found}


def _clean(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        raise BadSchema("its schema is too deep")
    found = {}
    for key, value in schema.items():
        if key in _REFERENCES and not (isinstance(value, str) and value.startswith("#")):
            raise BadSchema("its schema refers to another document")
        if key != "$id":  # it would change what a reference means, and nothing refers to it
            found[key] = _cleaned(key, value, depth + 1)
    return found


def _cleaned(key: str, value: Any, depth: int) -> Any:
    if key in _SPOKEN and isinstance(value, str):
        return plain(value, LONGEST_TEXT)
    if key in _DATA:
        return value
    if key in _NAMED and isinstance(value, dict):
        return {name: _subschema(inner, depth) for name, inner in value.items()}
    return _subschema(value, depth)


def _subschema(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return _clean(value, depth)
    if isinstance(value, list):
        if depth > DEEPEST:
            raise BadSchema("its schema is too deep")
        return [_subschema(item, depth + 1) for item in value]
    return value


def plain(text: str, longest: int) -> str:
    """Return `text` without control, format and private characters, on its lines, cut at `longest`.

    Characters that a person does not see are how a text says one thing to them and another to a
    model.
    """
    kept = "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")
    return kept.strip()[:longest]
