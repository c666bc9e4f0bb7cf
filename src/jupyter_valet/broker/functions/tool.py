"""A declared function as a tool: checked once, when it is declared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jsonschema_rs

from ...wire.errors import ValetError
from ...wire.functions import Function
from ..toolsets.bounded import validator
from ..toolsets.checking import Check

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TOOLSET = re.compile(r"[a-z][a-z0-9]{0,23}")
_LONGEST_NAME = 64
_LONGEST_WORDS = 4_000
_LARGEST_SCHEMA = 64_000
_UNUSABLE = (ValueError, AttributeError, TypeError, RecursionError, jsonschema_rs.ReferencingError)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class FunctionTool:
    """One function of one kernel."""

    kernel_id: str
    notebook: str
    toolset: str
    short_name: str
    title: str
    description: str
    access: Literal["read", "write"]
    input_schema: Mapping[str, Any]
    connections: Mapping[str, frozenset[str]]

    @classmethod
    def declared(cls, kernel_id: str, notebook: str, function: Function) -> FunctionTool:
        """Return the tool that a kernel declares.

        Raises `ValetError` ("bad_function") for a name, a schema or words that no list of tools can
        take.
        """
        toolset, name = str(function.toolset), str(function.name)
        if not _NAME.fullmatch(name) or not _TOOLSET.fullmatch(toolset):
            raise ValetError("bad_function", name="The function", what="its name is not a name")
        if len(toolset) + 1 + len(name) > _LONGEST_NAME:
            raise ValetError("bad_function", name=name, what="its name is too long")
        return cls(
            kernel_id=kernel_id,
            notebook=notebook,
            toolset=toolset,
            short_name=name,
            title=_words(function.title, 200) or name,
            description=_words(function.description, _LONGEST_WORDS) or name,
            access="read" if function.access == "read" else "write",
            input_schema=_schema(name, function.input_schema),
            connections=_connections(name, function.connections),
        )

    @property
    def name(self) -> str:
        """The name in MCP."""
        return f"{self.toolset}_{self.short_name}"

    @property
    def provider(self) -> str:
        """The provider it needs, when that is one."""
        return next(iter(self.connections)) if len(self.connections) == 1 else ""

    @property
    def destructive(self) -> bool:
        """Nobody knows, so: whatever may write may destroy."""
        return self.access == "write"

    @property
    def idempotent(self) -> bool:
        """Only reading is."""
        return self.access == "read"

    @cached_property
    def _check(self) -> Check:
        return Check(self.name, self.input_schema)

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` naming the first argument that is not what the schema says."""
        self._check(arguments)


def _words(text: Any, limit: int) -> str:
    """Return text for a list of tools: no control characters, nothing that turns it around."""
    return _CONTROL.sub("", text)[:limit].strip() if isinstance(text, str) else ""


def _schema(name: str, schema: Any) -> Mapping[str, Any]:
    """Return the schema if it is one, of an object, and small; nothing is fetched for it."""
    try:
        text = json.dumps(schema)
        if len(text) > _LARGEST_SCHEMA or schema.get("type") != "object":
            raise ValueError("not the schema of arguments")
        validator(schema)
    except _UNUSABLE:
        raise ValetError("bad_function", name=name, what="its schema is not usable") from None
    return {**schema}


def _connections(name: str, wanted: Any) -> Mapping[str, frozenset[str]]:
    try:
        found = {str(p): frozenset(map(str, scopes)) for p, scopes in wanted.items()}
    except (AttributeError, TypeError):
        raise ValetError("bad_function", name=name, what="its connections are unclear") from None
    if len(found) > 8 or any(len(scopes) > 64 for scopes in found.values()):
        raise ValetError("bad_function", name=name, what="it needs too many connections")
    return found
