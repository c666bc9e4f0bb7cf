"""What of a tool is searched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..catalogue import Tool
from ..toolsets import Tool as ApiTool
from .meanings import SELF, VERBS, Action
from .words import spoken

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_METHODS: Mapping[str, Action] = {
    "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """The words of one tool, field by field, and what it does.

    `tool` is its full name, `name` the one in its toolset.
    `resource` is what it acts on: the last name in its path. `own` says that it is about whoever
    is signed in.
    """

    tool: str
    name: str
    resource: str
    path: str
    summary: str
    tags: str
    description: str
    arguments: str
    action: Action
    own: bool

    @classmethod
    def of(cls, tool: Tool) -> Entry:
        """Return what there is to search of any tool; an API's operation tells more than others."""
        arguments = " ".join(tool.input_schema.get("properties", ()))
        if isinstance(tool, ApiTool):
            return _of_operation(tool, arguments)
        return cls(
            tool.name,
            tool.short_name,
            "",
            "",
            tool.title,
            "",
            tool.description,
            arguments,
            _by_name(tool.short_name) or ("get" if tool.access == "read" else "write"),
            _own(tool.title),
        )


def _of_operation(tool: ApiTool, arguments: str) -> Entry:
    operation = tool.operation
    literal = [part for part in operation.path.split("/") if part and "{" not in part]
    return Entry(
        tool.name,
        operation.name,
        literal[-1] if literal else "",
        _PLACEHOLDER.sub(" ", operation.path),
        operation.summary,
        " ".join(operation.tags),
        operation.description,
        arguments,
        _action(tool),
        _own(operation.summary) or _own(operation.name.replace("_", " ")),
    )


def _action(tool: ApiTool) -> Action:
    """Return what is done: the name's verb says it best, then the method."""
    operation = tool.operation
    named = _by_name(operation.name)
    if operation.access == "read":
        if named in ("list", "get"):
            return named
        return (
            "get" if operation.path.endswith("}") or operation.returns.kind == "object" else "list"
        )
    if named in ("list", "get", None):
        return _METHODS.get(operation.method, "write")
    return named


def _by_name(name: str) -> Action | None:
    """Return what the first verb in a name says."""
    return next((VERBS[word] for word in name.split("_") if word in VERBS), None)


def _own(text: str) -> bool:
    return not SELF.isdisjoint(spoken(text))
