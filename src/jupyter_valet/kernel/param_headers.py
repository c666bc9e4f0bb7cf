"""`Mcp-Param-*` headers: arguments that a tool's schema wants to see in the HTTP headers too.

Source: specification 2026-07-28, `basic/transports/streamable-http`, custom headers (MC-06).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .mcp import header_value

KEY = "x-mcp-header"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_KINDS = ("string", "integer", "boolean")
_ONE = (
    "items",
    "contains",
    "unevaluatedItems",
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
)
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("patternProperties", "dependentSchemas", "$defs", "definitions")

Path = tuple[str, ...]


def declared(schema: Any) -> dict[Path, str] | None:
    """Return the headers that `schema` declares, or None when one is invalid: drop that tool.

    An annotation is valid on a string, integer or boolean that a chain of plain `properties`
    leads to; it is a header token, unique without regard to case.
    """
    found: dict[Path, str] = {}
    for path, node in _positions(schema):
        if KEY not in node:
            continue
        token = node[KEY]
        proper = bool(path) and isinstance(token, str) and _TOKEN.fullmatch(token)
        taken = proper and token.lower() in (t.lower() for t in found.values())
        if not proper or taken or node.get("type") not in _KINDS:
            return None
        found[path or ()] = token
    return found


def headers(declarations: Mapping[Path, str], arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers for one call; an argument that is not given has none."""
    found = {}
    for path, token in declarations.items():
        value: Any = arguments
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str | int | float):
            found[f"Mcp-Param-{token}"] = header_value(str(value))
    return found


def _positions(root: Any) -> Iterator[tuple[Path | None, dict[str, Any]]]:
    """Yield every schema inside `root` with its chain of `properties`, None off that chain."""
    stack: list[tuple[Path | None, Any]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        for name, below in node.items():
            stack += _below(path, name, below)


def _below(path: Path | None, name: str, below: Any) -> list[tuple[Path | None, Any]]:
    if name == "properties" and isinstance(below, dict):
        return [(None if path is None else (*path, key), sub) for key, sub in below.items()]
    if name in _ONE:
        return [(None, below)]
    if name in _MANY and isinstance(below, list):
        return [(None, sub) for sub in below]
    if name in _NAMED and isinstance(below, dict):
        return [(None, sub) for sub in below.values()]
    return []
