"""Schemas of a document, as JSON Schema 2020-12 that describes what may be sent.

Every dialect goes through one table: what OpenAPI 2.0, 3.0 and Discovery spell differently becomes
the standard's keyword, what no model and no validator needs is left out, and what is malformed is
left out too, since a schema that allows more is better than an operation that is missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jsonschema_rs

from .text import words
from .tree import Document
from .unusable import Unusable

Schema = dict[str, Any] | bool

DESCRIPTION = 300
"""Characters of a member's description."""

_DEPTH = 60
_MOST_DEFS = 2_000
_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)
_USUAL_PLACES = frozenset({"/components/schemas", "/definitions", "/schemas"})
_ANYTHING: Schema = True


@dataclass
class Links:
    """The pointers a schema refers to; `inline` are those that describe the same value again."""

    all: dict[str, None] = field(default_factory=dict)
    inline: set[str] = field(default_factory=set)

    def add(self, other: Links) -> None:
        """Take the links of `other`, too."""
        self.all |= other.all
        self.inline |= other.inline


class Schemas:
    """Converts schemas of one document, each named one once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._named: dict[str, tuple[Schema, Links]] = {}
        self._sound: set[str] = set()

    def convert(self, node: object, links: Links) -> Schema:
        """Return `node` in JSON Schema; what it refers to is added to `links`.

        Raises `Unusable` for a reference that leads out of the document.
        """
        return _Conversion(self._document, links).schema(node, 0, inline=True)

    def defs(self, links: Links) -> dict[str, Schema]:
        """Return the definitions that `links` need, those that these need, and so on.

        Raises `Unusable` when one is made of itself only, or when they have no end.
        """
        found: dict[str, Schema] = {}
        pending = list(links.all)
        seen = set(pending)
        while pending:
            pointer = pending.pop()
            schema, further = self._definition(pointer)
            found[def_name(pointer)] = schema
            pending += [p for p in further.all if p not in seen]
            seen.update(further.all)
            if len(seen) > _MOST_DEFS:
                raise Unusable("its schemas have no end")
        for pointer in seen:
            self._check_sound(pointer)
        return dict(sorted(found.items()))

    def _definition(self, pointer: str) -> tuple[Schema, Links]:
        held = self._named.get(pointer)
        if held is None:
            links = Links()
            held = self.convert(self._document.at(pointer), links), links
            self._named[pointer] = held
        return held

    def _check_sound(self, start: str) -> None:
        """Refuse a schema that leads back to itself without going into a member (2020-12, §9.4.1).

        Checking anything against it would never end.
        """
        path: list[tuple[str, list[str]]] = [(start, self._inline(start))]
        on_path = {start}
        while path:
            pointer, onward = path[-1]
            if not onward:
                path.pop()
                on_path.discard(pointer)
                self._sound.add(pointer)
                continue
            following = onward.pop()
            if following in on_path:
                raise Unusable("a schema in it is made of itself")
            if following not in self._sound:
                path.append((following, self._inline(following)))
                on_path.add(following)

    def _inline(self, pointer: str) -> list[str]:
        return [] if pointer in self._sound else sorted(self._definition(pointer)[1].inline)


def def_name(pointer: str) -> str:
    """Return the name under `$defs` of what is at `pointer`: its own where that is enough."""
    place, _, name = pointer.rpartition("/")
    if place in _USUAL_PLACES and _PLAIN_NAME.fullmatch(name):
        return name
    digest = hashlib.sha256(pointer.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)[:60]}-{digest}"


@lru_cache(maxsize=2048)
def is_pattern(pattern: str) -> bool:
    """Tell whether the validator understands a regular expression (ECMA-262)."""
    try:
        jsonschema_rs.validator_for({"pattern": pattern})
    except ValueError:
        return False
    return True


class _Conversion:
    """One walk through a schema."""

    def __init__(self, document: Document, links: Links) -> None:
        self._document = document
        self._links = links

    def schema(self, node: object, depth: int, *, inline: bool = False) -> Schema:
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict) or depth > _DEPTH:
            return _ANYTHING
        made: dict[str, Any] = {}
        for keyword, value in node.items():
            handler = _HANDLERS.get(keyword)
            if handler is not None:
                handler(self, made, keyword, value, depth, inline)
        if "exclusiveMinimum" in made or "exclusiveMaximum" in made:
            _bounds(made)
        if "type" in made:
            _fit_type(made, node)
        if node.get("nullable") is True or node.get("x-nullable") is True:
            return _nullable(made)
        return made

    def reference(
        self, made: dict[str, Any], keyword: str, value: object, depth: int, inline: bool
    ) -> None:
        pointer = self._document.pointer(value)
        self._links.all[pointer] = None
        if inline:
            self._links.inline.add(pointer)
        made[keyword] = f"#/$defs/{def_name(pointer)}"

    def one(
        self, made: dict[str, Any], keyword: str, value: object, depth: int, inline: bool
    ) -> None:
        if isinstance(value, list) and keyword == "items":  # a tuple, as before 2020-12
            self.several(made, "prefixItems", value, depth, inline)
        elif isinstance(value, dict | bool):
            within = inline and keyword in ("not", "if", "then", "else")
            made[keyword] = self.schema(value, depth + 1, inline=within)

    def several(
        self, made: dict[str, Any], keyword: str, value: object, depth: int, inline: bool
    ) -> None:
        if isinstance(value, list) and value:
            within = inline and keyword != "prefixItems"
            made[keyword] = [self.schema(item, depth + 1, inline=within) for item in value]

    def named(
        self, made: dict[str, Any], keyword: str, value: object, depth: int, inline: bool
    ) -> None:
        if not isinstance(value, dict):
            return
        made[keyword] = {
            name: self.schema(member, depth + 1, inline=inline and keyword == "dependentSchemas")
            for name, member in value.items()
            if not self._read_only(member) and (keyword != "patternProperties" or is_pattern(name))
        }

    def _read_only(self, member: object) -> bool:
        """Tell whether a member is for answers only (OpenAPI 3.1.1, §4.8.24; JSON Schema, §9.4)."""
        if not isinstance(member, dict):
            return False
        if member.get("readOnly") is True:
            return True
        if "$ref" not in member:
            return False
        try:
            target = self._document.followed(member)
        except Unusable:
            return False
        return isinstance(target, dict) and target.get("readOnly") is True


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


def _type(made: dict[str, Any], value: object) -> None:
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


_Handler = Callable[[_Conversion, dict[str, Any], str, Any, int, bool], None]


def _simple(take: Callable[[dict[str, Any], str, Any], None]) -> _Handler:
    def handler(
        _: _Conversion, made: dict[str, Any], keyword: str, value: Any, depth: int, inline: bool
    ) -> None:
        take(made, keyword, value)

    return handler


_HANDLERS: Mapping[str, _Handler] = {
    "$ref": _Conversion.reference,
    **dict.fromkeys(
        ("items", "additionalProperties", "not", "if", "then", "else", "contains",
         "propertyNames", "unevaluatedProperties", "unevaluatedItems"), _Conversion.one,
    ),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _Conversion.several),
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), _Conversion.named),
    "type": _simple(lambda made, _, value: _type(made, value)),
    "enum": _simple(_enum),
    "const": _simple(_constant),
    "required": _simple(_required),
    "dependentRequired": _simple(_dependent),
    "pattern": _simple(_pattern),
    "description": _simple(_description),
    "format": _simple(_text),
    "contentEncoding": _simple(_text),
    "contentMediaType": _simple(_text),
    "default": _simple(_default),
    **dict.fromkeys(("uniqueItems", "writeOnly", "deprecated"), _simple(_flag)),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        _simple(_limit),
    ),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
         "minContains", "maxContains"), _simple(_count),
    ),
}  # fmt: skip
