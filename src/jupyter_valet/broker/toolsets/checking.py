"""Arguments against a tool's schema, and what is wrong with them in words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from ...wire.errors import ValetError
from .bounded import validator


class Check:
    """The check of one tool's arguments, compiled when it is first used."""

    def __init__(self, name: str, schema: Mapping[str, Any]) -> None:
        self._name = name
        self._schema = schema

    @cached_property
    def _validator(self) -> Any:
        # Compiled once: compiling per call costs a thousand times what checking does.
        return _compiled(self._schema)

    def __call__(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` naming the first argument that is not what the schema says."""
        given = dict(arguments)
        try:
            if self._validator.is_valid(given):  # most are, and then nothing is put together
                return
            found = next(self._validator.iter_errors(given), None)
        except ValueError:  # deeper, or larger, than what the validator reads
            raise ValetError("bad_arguments", tool=self._name, what="they cannot be read") from None
        if found is not None:
            raise ValetError("bad_arguments", tool=self._name, what=self._words(found))

    def _words(self, error: Any) -> str:
        """Put a schema error into words of ours: no value that the caller sent is in it."""
        keyword = str(error.schema_path[-1])
        name = str(error.instance_path[0]) if error.instance_path else ""
        if keyword == "additionalProperties":
            known = ", ".join(self._schema.get("properties", ())) or "no arguments"
            return f"{name} has a member that is not known" if name else f"it takes only {known}"
        if keyword == "required" and not name:
            return f"{error.kind.property} is missing"
        must = _MUST.get(keyword, "fit its schema")
        limit = _limit(self._schema, error.schema_path)
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
        return validator(schema)
    except (ValueError, jsonschema_rs.ReferencingError):
        known: dict[str, Any] = {
            "type": "object",
            "properties": dict.fromkeys(schema.get("properties", ()), True),
            "required": schema.get("required", []),
        }
        if schema.get("additionalProperties") is False:
            known["additionalProperties"] = False
        return validator(known)
