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
        return self.access == "write" and self.operation.method in ("DELETE", "PUT", "PATCH")

    @property
    def idempotent(self) -> bool:
        """Whether its method is (RFC 9110 §9.2.2)."""
        return self.operation.method not in ("POST", "PATCH")

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
        return _compiled(self.input_schema)

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` naming the first argument that is not what the schema says."""
        try:
            found = next(self._validator.iter_errors(dict(arguments)), None)
        except ValueError:  # deeper, or larger, than what the validator reads
            raise ValetError("bad_arguments", tool=self.name, what="they cannot be read") from None
        if found is not None:
            raise ValetError("bad_arguments", tool=self.name, what=self._words(found))

    def _words(self, error: Any) -> str:
        """Put a schema error into words of ours: no value that the caller sent is in it."""
        keyword = str(error.schema_path[-1])
        name = str(error.instance_path[0]) if error.instance_path else ""
        if keyword == "additionalProperties":
            known = ", ".join(self.input_schema["properties"]) or "no arguments"
            return f"{name} has a member that is not known" if name else f"it takes only {known}"
        if keyword == "required" and not name:
            return f"{error.kind.property} is missing"
        must = _MUST.get(keyword, "fit its schema")
        limit = _limit(self.input_schema, error.schema_path)
        return f"{name or 'the arguments'} must {must.replace('{limit}', limit)}"


_MUST = {
    "type": "be of type {limit}",
    "enum": "be one of {limit}",
    "const": "be {limit}",
    "minimum": "be at least {limit}",
    "maximum": "be at most {limit}",
    "exclusiveMinimum": "be more than {limit}",
    "exclusiveMaximum": "be less than {limit}",
    "multipleOf": "be a multiple of {limit}",
    "minLength": "have at least {limit} characters",
    "maxLength": "have at most {limit} characters",
    "minItems": "have at least {limit} items",
    "maxItems": "have at most {limit} items",
    "pattern": "match {limit}",
    "format": "be a {limit}",
    "required": "have {limit}",
}
_LONGEST = 300


def _limit(schema: Any, path: list[Any]) -> str:
    """Return what our own schema says at `path`."""
    for step in path:
        try:
            schema = schema[step]
        except (KeyError, IndexError, TypeError):
            return "what it says"
    text = ", ".join(map(_word, schema)) if isinstance(schema, list) else _word(schema)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _word(value: object) -> str:
    text = "null" if value is None else str(value)
    return text if text.isprintable() else ascii(text)


def _compiled(schema: Mapping[str, Any]) -> Any:
    """Compile a schema; one that the validator refuses still says which arguments there are.

    The API checks the rest itself, so a document's odd schema does not make its tool unusable.
    """
    try:
        return jsonschema_rs.validator_for(dict(schema))
    except ValueError:
        names = dict.fromkeys(schema["properties"], True)
        return jsonschema_rs.validator_for({**schema, "properties": names, "$defs": {}})
