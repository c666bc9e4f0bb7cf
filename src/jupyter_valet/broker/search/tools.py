"""The three tools by which a model finds and calls tools that are not listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..catalogue import FINDING
from ..toolsets.checking import Check

FEW, MOST = 6, 25
"""How many tools a search returns, and how many it can."""

LONGEST_QUERY = 400


@dataclass(frozen=True)
class FindingTool:
    """One of the three."""

    short_name: str
    title: str
    description: str
    properties: Mapping[str, Any] = field(hash=False)
    required: str
    access: Literal["read", "write"] = "read"
    toolset: str = field(default=FINDING, init=False)
    provider: str = field(default="", init=False)

    @cached_property
    def name(self) -> str:
        """The name in MCP."""
        return f"{FINDING}_{self.short_name}"

    @property
    def destructive(self) -> bool:
        """Whether it may undo something: what is called may."""
        return self.access == "write"

    @property
    def idempotent(self) -> bool:
        """Looking is; calling may not be."""
        return self.access == "read"

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return {
            "type": "object",
            "properties": dict(self.properties),
            "required": [self.required],
            "additionalProperties": False,
        }

    @cached_property
    def _check(self) -> Check:
        return Check(self.name, self.input_schema)

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` naming the first argument that is not what the schema says."""
        self._check(arguments)


_NAME = {"type": "string", "description": "Name of a tool, as the search gives it"}

SEARCH = FindingTool(
    "search_tools",
    "Search for tools",
    "Finds tools by what they do. There are more tools than this list shows: search before you say "
    "that something cannot be done. Returns names, what they need, and whether they write.",
    {
        "query": {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_QUERY,
            "description": "What you want to do, such as `list open pull requests`",
        },
        "toolset": {"type": "string", "description": "Only tools of this toolset"},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": FEW},
    },
    "query",
)
DESCRIBE = FindingTool(
    "describe_tool",
    "Describe a tool",
    "Returns what a tool does and the JSON Schema of its arguments.",
    {"name": _NAME},
    "name",
)
CALL = FindingTool(
    "call_tool",
    "Call a tool",
    "Calls a tool that a search has found, under the same rules as if it were listed.",
    {
        "name": _NAME,
        "arguments": {"type": "object", "description": "What the tool's schema says"},
        "fields": {
            "type": "string",
            "maxLength": 1000,
            "description": "JMESPath of what to return, such as `[].{id: id, title: title}`",
        },
    },
    "name",
    access="write",
)
TOOLS = (SEARCH, DESCRIBE, CALL)
