"""A tool as it is offered: an operation under its full name, with its compiled argument check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jsonschema_rs

from ...wire.errors import ValetError
from .model import Operation, Toolset


@dataclass(frozen=True)
class Tool:
    """One operation of one toolset."""

    source: Toolset
    operation: Operation

    @cached_property
    def name(self) -> str:
        """The name in MCP: `<toolset>_<operation>`."""
        return f"{self.source.name}_{self.operation.name}"

    @property
    def toolset(self) -> str:
        """Name of the toolset."""
        return self.source.name

    @property
    def short_name(self) -> str:
        """Name inside the toolset."""
        return self.operation.name

    @property
    def title(self) -> str:
        """What it does, for people."""
        return self.operation.summary

    @property
    def description(self) -> str:
        """What it does and where, for a model."""
        return f"{self.operation.summary} ({self.source.title})."

    @property
    def access(self) -> Literal["read", "write"]:
        """Whether the operation changes anything at the provider."""
        return self.operation.access

    @property
    def destructive(self) -> bool:
        """Whether it may undo or replace what is there, by its method (RFC 9110 §9)."""
        return self.operation.method in ("DELETE", "PUT", "PATCH")

    @property
    def idempotent(self) -> bool:
        """Whether its method is (RFC 9110 §9.2.2)."""
        return self.operation.method in ("GET", "PUT", "DELETE")

    @property
    def provider(self) -> str:
        """Name of the provider whose connection it needs."""
        return self.source.provider

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.operation.input_schema

    @cached_property
    def _validator(self) -> Any:
        # Compiled once: compiling per call costs a thousand times what checking does.
        return jsonschema_rs.validator_for(self.input_schema)

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` naming the first argument that is not what the schema says."""
        for error in self._validator.iter_errors(dict(arguments)):
            raise ValetError("bad_arguments", tool=self.name, what=self._words(error))

    def _words(self, error: Any) -> str:
        """Put a schema error into words of ours: no value that the caller sent is in it."""
        keyword = str(error.schema_path[-1])
        if keyword == "additionalProperties":
            known = ", ".join(self.input_schema["properties"]) or "no arguments"
            return f"it takes only {known}"
        if keyword == "required" and not error.instance_path:
            return f"{error.kind.property} is missing"
        name = str(error.instance_path[0]) if error.instance_path else "the arguments"
        return f"{name} must {_MUST.get(keyword, 'fit its schema')}".format(
            limit=_limit(self.input_schema, error.schema_path)
        )


_MUST = {
    "type": "be of type {limit}",
    "enum": "be one of {limit}",
    "minimum": "be at least {limit}",
    "maximum": "be at most {limit}",
    "minLength": "have at least {limit} characters",
    "maxLength": "have at most {limit} characters",
    "format": "be a {limit}",
    "required": "have {limit}",
}


def _limit(schema: Any, path: list[Any]) -> str:
    """Return what our own schema says at `path`."""
    for step in path:
        schema = schema[step]
    return ", ".join(map(str, schema)) if isinstance(schema, list) else str(schema)
