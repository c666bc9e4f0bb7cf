"""What a model is told of a tool that was found: little in a search, all when it asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalogue import Tool

_LONGEST = 140
_OPTIONAL = 6
"""Optional arguments that a search names; the others are counted."""


def found_tool(tool: Tool) -> dict[str, Any]:
    """Return a line of a search's result: enough to choose, and mostly enough to call."""
    line: dict[str, Any] = {"name": tool.name, "does": _first(tool.title or tool.description)}
    properties = tool.input_schema.get("properties", {})
    required = tool.input_schema.get("required", [])
    if required:
        line["needs"] = ", ".join(f"{name}: {_type(properties.get(name))}" for name in required)
    optional = [name for name in properties if name not in required]
    if optional:
        more = len(optional) - _OPTIONAL
        names = ", ".join(optional[:_OPTIONAL])
        line["takes"] = f"{names}, {more} more" if more > 0 else names
    if tool.access == "write":
        line["writes"] = True
    return line


def described(tool: Tool) -> dict[str, Any]:
    """Return all that a list would say of the tool, and its toolset."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "toolset": tool.toolset,
        "writes": tool.access == "write",
        "inputSchema": dict(tool.input_schema),
    }


def _first(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _type(schema: Any) -> str:
    """Return a word for what an argument is."""
    if not isinstance(schema, Mapping):
        return "any"
    if isinstance(schema.get("enum"), list):
        return " or ".join(map(str, schema["enum"][:4]))
    kind = schema.get("type", "any")
    return " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
