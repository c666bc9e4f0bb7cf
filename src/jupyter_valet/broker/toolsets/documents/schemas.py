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
from typing import Any

from .keywords import SIMPLE, Schema, finished, is_pattern
from .tree import Document
from .unusable import Unusable

_DEPTH = 60
_MOST_DEFS = 2_000
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
            take = SIMPLE.get(keyword)
            if take is not None:
                take(made, keyword, value)
            elif (holds := _HOLDING.get(keyword)) is not None:
                holds(self, made, keyword, value, depth, inline)
        return finished(made, node)

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


_Holding = Callable[[_Conversion, dict[str, Any], str, Any, int, bool], None]

# Keywords that hold schemas.
_HOLDING: Mapping[str, _Holding] = {
    "$ref": _Conversion.reference,
    **dict.fromkeys(
        ("items", "additionalProperties", "not", "if", "then", "else", "contains",
         "propertyNames", "unevaluatedProperties", "unevaluatedItems"), _Conversion.one,
    ),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _Conversion.several),
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas"), _Conversion.named),
}  # fmt: skip
