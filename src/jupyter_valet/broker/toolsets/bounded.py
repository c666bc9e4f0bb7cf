"""Validators for schemas from outside, whose work has a bound.

Who writes a schema (a document, another server, a notebook) must not be able to stop the broker
with it: neither by a regular expression that goes back and forth, nor by references that double at
each step. Both are short to write, and the validator cannot be interrupted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

MOST_UNFOLDED = 20_000
"""Subschemas of one schema with all of its references written out."""

_LINEAR = jsonschema_rs.RegexOptions()
"""The engine that takes time in proportion to the text: no look-around, no backreference."""

_DATA = frozenset({"enum", "const", "default", "examples"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def validator(schema: Mapping[str, Any]) -> Any:
    """Return a validator for `schema`, which fetches nothing.

    Patterns that take another engine are not checked here: whoever wrote them checks them, too.
    Raises `ValueError` for what is no schema, and for one that unfolds too far, and
    `jsonschema_rs.ReferencingError`.
    """
    if unfolded(schema) > MOST_UNFOLDED:
        raise ValueError("the schema unfolds too far")
    return jsonschema_rs.validator_for(_simple(schema), offline=True, pattern_options=_LINEAR)


@lru_cache(maxsize=2048)
def _is_boundless(pattern: str) -> bool:
    """Tell whether it is a regular expression (ECMA-262), and only the other engine knows it."""
    return not _compiles(pattern, pattern_options=_LINEAR) and _compiles(pattern)


def _compiles(pattern: str, **how: Any) -> bool:
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, **how)
    except ValueError:
        return False
    return True


def unfolded(schema: Mapping[str, Any]) -> int:
    """Return how many subschemas there are when each reference stands for what it names.

    A reference back into itself counts once: there the depth of what is checked is the bound.
    """
    return _Unfolding(schema).total()


class _Unfolding:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._anchors = {a: node for node in _nodes(schema) for a in _anchors(node)}

    def total(self) -> int:
        """Count by reference, each once, those first that others are made of."""
        known: dict[str, int] = {}
        parts: dict[str, tuple[int, Counter[str]]] = {}
        path = {"#": None}  # a chain may be longer than Python calls may be deep
        while path:
            reference = next(reversed(path))
            if reference not in parts:
                parts[reference] = _own(self._target(reference))
            own, others = parts[reference]
            unknown = next((o for o in others if o not in known and o not in path), None)
            if unknown is not None:
                path[unknown] = None
                continue
            del path[reference]
            known[reference] = own + sum(n * known.get(o, 1) for o, n in others.items())
        return known["#"]

    def _target(self, reference: str) -> Any:
        """Return what a reference names. Raises `ValueError` for what is in another document."""
        if not reference.startswith("#"):
            raise ValueError("the schema refers to another document")
        if reference[1:] in self._anchors:
            return self._anchors[reference[1:]]
        node: Any = self._schema
        for step in filter(None, reference[1:].split("/")):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                node = node[int(name)] if name.isdigit() and int(name) < len(node) else None
            else:
                node = node.get(name) if isinstance(node, dict) else None
        return node


def _own(schema: Any) -> tuple[int, Counter[str]]:
    """Return the subschemas of `schema` without those that it refers to, and how often to which.

    What is defined counts where it is used.
    """
    own, others = 0, Counter[str]()
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left.extend(node)
        if not isinstance(node, dict):
            continue
        own += 1
        for key, value in node.items():
            if key in _REFERENCES and isinstance(value, str):
                others[value] += 1
            elif key in _NAMED and isinstance(value, dict):
                left.extend([] if key in ("$defs", "definitions") else value.values())
            elif key not in _DATA:
                left.append(value)
    return own, others


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from _nodes(item)


def _anchors(node: Mapping[str, Any]) -> Iterator[str]:
    names = (node.get("$anchor"), node.get("$dynamicAnchor"))
    yield from (name for name in names if isinstance(name, str))


def _simple(node: Any) -> Any:
    """Return a schema without the patterns that are not checked."""
    if isinstance(node, list):
        return [_simple(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _part(key, value) for key, value in node.items()}
    if isinstance(made.get("pattern"), str) and _is_boundless(made["pattern"]):
        del made["pattern"]
    named = made.get("patternProperties")
    if isinstance(named, dict) and any(map(_is_boundless, named)):
        bounded = {n: inner for n, inner in named.items() if not _is_boundless(n)}
        made["patternProperties"] = bounded
        for others in ("additionalProperties", "unevaluatedProperties"):
            made.pop(others, None)  # else what the pattern allows would be refused
    return made


def _part(key: str, value: Any) -> Any:
    if key in _DATA:
        return value
    if key in _NAMED and isinstance(value, dict):
        return {name: _simple(inner) for name, inner in value.items()}
    return _simple(value)
