"""Keywords of a schema that hold no schema: taken as they are, put right, or left out.

A keyword is taken when it means what 2020-12 means by it; what the older dialects spell in another
way is put right when the schema is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from .text import words

Schema = dict[str, Any] | bool

DESCRIPTION = 300
"""Characters of a member's description."""

_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})


@lru_cache(maxsize=2048)
def is_pattern(pattern: str) -> bool:
    """Tell whether the validator understands a regular expression (ECMA-262)."""
    try:
        jsonschema_rs.validator_for({"pattern": pattern})
    except ValueError:
        return False
    return True


def finished(made: dict[str, Any], node: Mapping[str, Any]) -> Schema:
    """Return a schema whose keywords were taken from `node`, put right where several belong."""
    if "exclusiveMinimum" in made or "exclusiveMaximum" in made:
        _bounds(made)
    if "type" in made:
        _fit_type(made, node)
    if node.get("nullable") is True or node.get("x-nullable") is True:
        return _nullable(made)
    return made


def _fit_type(made: dict[str, Any], node: Mapping[str, Any]) -> None:
    """Bring together the type and what depends on it in the older dialects."""
    if made["type"] == "string" and node.get("format") in ("int64", "uint64"):
        # JSON has no 64-bit integers everywhere, so Discovery has text for them; both are taken.
        made["type"] = ["string", "integer"]
    if "default" in made:
        made["default"] = _typed(made["default"], made["type"])
    if node.get("format") == "binary" or node.get("type") == "file":
        made["contentEncoding"] = "base64"
        made.pop("format", None)
    required = made.get("required")
    if required and "properties" in made and isinstance(node.get("properties"), dict):
        dropped = node["properties"].keys() - made["properties"].keys()
        made["required"] = [name for name in required if name not in dropped]


def _typed(value: Any, kind: object) -> Any:
    """Return a default that Discovery wrote as text in its own type."""
    if not isinstance(value, str):
        return value
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind in ("integer", "number"):
        number = _number(value)
        return value if number is None else number
    return value


def _nullable(made: dict[str, Any]) -> Schema:
    """Allow null besides (OpenAPI 3.0.4, §4.7.24.1)."""
    kind = made.get("type")
    if kind is None:
        return {"anyOf": [made, {"type": "null"}]} if made else made
    kinds = kind if isinstance(kind, list) else [kind]
    made["type"] = kinds if "null" in kinds else [*kinds, "null"]
    if "enum" in made and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]
    return made


def _type(made: dict[str, Any], keyword: str, value: object) -> None:
    if value == "file":
        made["type"] = "string"
    elif isinstance(value, str) and value in _TYPES:
        made["type"] = value
    elif isinstance(value, list):
        kinds = [kind for kind in value if isinstance(kind, str) and kind in _TYPES]
        if kinds:
            made["type"] = list(dict.fromkeys(kinds))


def _number(value: object) -> int | float | None:
    """Return a number, also one that Discovery wrote as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and len(value) < 40:
        try:
            return int(value)
        except ValueError:
            try:
                number = float(value)
            except ValueError:
                return None
            return number if abs(number) < float("inf") else None
    return None


def _limit(made: dict[str, Any], keyword: str, value: object) -> None:
    if keyword.startswith("exclusive") and value is True:
        made[keyword] = True  # until `_bounds` has seen its partner
        return
    number = _number(value)
    if number is not None and (keyword != "multipleOf" or number > 0):
        made[keyword] = number


def _bounds(made: dict[str, Any]) -> None:
    """Turn 3.0's `exclusiveMinimum: true` beside `minimum` into the number that it means."""
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if made.get(exclusive) is True:
            del made[exclusive]
            if plain in made:
                made[exclusive] = made.pop(plain)


def _count(made: dict[str, Any], keyword: str, value: object) -> None:
    number = _number(value)
    if isinstance(number, int) and number >= 0:
        made[keyword] = number


def _enum(made: dict[str, Any], keyword: str, value: object) -> None:
    if isinstance(value, list) and value:
        made[keyword] = value


def _required(made: dict[str, Any], keyword: str, value: object) -> None:
    if isinstance(value, list):
        made[keyword] = list(dict.fromkeys(name for name in value if isinstance(name, str)))


def _dependent(made: dict[str, Any], keyword: str, value: object) -> None:
    if isinstance(value, dict):
        made[keyword] = {
            name: list(dict.fromkeys(n for n in names if isinstance(n, str)))
            for name, names in value.items()
            if isinstance(names, list)
        }


def _pattern(made: dict[str, Any], keyword: str, value: object) -> None:
    if isinstance(value, str) and len(value) <= 1_000 and is_pattern(value):
        made[keyword] = value


def _description(made: dict[str, Any], keyword: str, value: object) -> None:
    text = words(value, DESCRIPTION)
    if text:
        made[keyword] = text


def _text(made: dict[str, Any], keyword: str, value: object) -> None:
    if isinstance(value, str) and len(value) <= 80:
        made[keyword] = value


def _default(made: dict[str, Any], keyword: str, value: object) -> None:
    if len(str(value)) <= 200:
        made[keyword] = value


def _constant(made: dict[str, Any], keyword: str, value: object) -> None:
    made[keyword] = value


def _flag(made: dict[str, Any], keyword: str, value: object) -> None:
    if value is True:
        made[keyword] = True


SIMPLE: Mapping[str, Callable[[dict[str, Any], str, Any], None]] = {
    "type": _type,
    "enum": _enum,
    "const": _constant,
    "required": _required,
    "dependentRequired": _dependent,
    "pattern": _pattern,
    "description": _description,
    "default": _default,
    **dict.fromkeys(("format", "contentEncoding", "contentMediaType"), _text),
    **dict.fromkeys(("uniqueItems", "writeOnly", "deprecated"), _flag),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _limit
    ),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
         "minContains", "maxContains"), _count,
    ),
}  # fmt: skip
"""What is done with each; a keyword that is in no table is left out."""
