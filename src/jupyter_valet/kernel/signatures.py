"""Python signatures from JSON Schemas, and JSON arguments from Python calls. Pure functions."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Mapping
from typing import Any, Literal

from ..wire.errors import ValetError
from .plain_text import one_line

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": None,
}
_LITERALS = (str, int, bool, type(None))


class Parameters:
    """The parameters of one tool: what they are called in Python and in JSON."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        found = schema.get("properties")
        properties: dict[str, Any] = found if isinstance(found, dict) else {}
        needed = schema.get("required")
        self._required = (
            {n for n in needed if n in properties} if isinstance(needed, list) else set()
        )
        order = sorted(properties, key=lambda name: name not in self._required)
        self._names = _python_names(order)
        self._properties = properties
        self._order = list(self._names.values())
        self.signature = inspect.Signature(
            [self._parameter(json_name) for json_name in self._names.values()]
        )

    def arguments(
        self, tool: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the JSON arguments of a call. Raises `ValetError("bad_arguments")`.

        What is not given is not sent, so the tool's own defaults hold; so is None for an optional
        argument that cannot be null.
        """
        pairs = dict(zip(self._order, args, strict=False))
        for name, value in kwargs.items():
            pairs[self._json_name(name)] = value
        fits = len(pairs) == len(args) + len(kwargs) and pairs.keys() <= self._properties.keys()
        if not (fits and self._required <= pairs.keys()):
            pairs = self._bound(tool, args, kwargs)
        for name in [name for name, value in pairs.items() if value is None]:
            if self._absent(name):
                del pairs[name]
        return pairs

    def _json_name(self, name: str) -> str:
        return name if name in self._properties else self._names.get(name, name)

    def _bound(self, tool: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Bind as Python does, which has the words for what is wrong."""
        by_json_name = {json: python for python, json in self._names.items()}
        given = {by_json_name.get(name, name): value for name, value in kwargs.items()}
        try:
            bound = self.signature.bind(*args, **given).arguments
        except TypeError as error:
            raise ValetError("bad_arguments", tool=tool, what=one_line(error)) from None
        return {self._names[python]: value for python, value in bound.items()}

    def describe(self) -> list[str]:
        """Return one line of help for each parameter."""
        return [self._line(python, json_name) for python, json_name in self._names.items()]

    def _absent(self, name: str) -> bool:
        """Tell whether None for it means that it is not given."""
        return name not in self._required and not _nullable(self._properties[name])

    def _parameter(self, name: str) -> inspect.Parameter:
        schema = self._properties[name]
        default: Any = inspect.Parameter.empty
        if name not in self._required:
            default = schema.get("default") if isinstance(schema, dict) else None
        return inspect.Parameter(
            next(python for python, json_name in self._names.items() if json_name == name),
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=default,
            annotation=_optional(annotation(schema)) if default is None else annotation(schema),
        )

    def _line(self, python: str, json_name: str) -> str:
        schema = self._properties[json_name]
        words = schema.get("description", "") if isinstance(schema, dict) else ""
        return f"{python}: {one_line(words)}" if words else python


def annotation(schema: Any) -> Any:
    """Return the Python type that a JSON Schema describes, as far as a reader needs it."""
    if not isinstance(schema, dict):
        return Any
    values = schema.get("enum")
    if isinstance(values, list) and values and all(isinstance(v, _LITERALS) for v in values):
        return Literal[tuple(values)]
    for keyword_ in ("anyOf", "oneOf"):
        if isinstance(schema.get(keyword_), list):
            return _union([annotation(s) for s in schema[keyword_]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union([_TYPES.get(k, Any) for k in kind if isinstance(k, str)])
    if kind == "array" and isinstance(schema.get("items"), dict):
        item = annotation(schema["items"])
        return list if item is Any else list[item]  # type: ignore[valid-type]
    return _TYPES.get(kind, Any) if isinstance(kind, str) else Any


def _optional(kind: Any) -> Any:
    return kind if kind is None or kind is Any else kind | None


def _union(kinds: list[Any]) -> Any:
    found: Any = None
    for number, kind in enumerate(kinds):
        if kind is Any:
            return Any
        found = kind if number == 0 else found | kind
    return found if kinds else Any


def _nullable(schema: Any) -> bool:
    """Tell whether a schema admits null; one that names no type admits everything."""
    if not isinstance(schema, dict):
        return True
    if "enum" in schema:
        return None in schema["enum"]
    for keyword_ in ("anyOf", "oneOf"):
        if isinstance(schema.get(keyword_), list):
            return any(_nullable(s) for s in schema[keyword_])
    kind = schema.get("type")
    return kind is None or kind == "null" or (isinstance(kind, list) and "null" in kind)


def _python_names(names: list[str]) -> dict[str, str]:
    """Map names that Python can write to those of the schema; order is kept."""
    found: dict[str, str] = {}
    for name in names:
        python = identifier(name)
        while python in found:
            python += "_"
        found[python] = name
    return found


def identifier(name: str) -> str:
    """Return `name` as a Python identifier: `per-page` is `per_page`, `from` is `from_`."""
    python = re.sub(r"\W", "_", name) or "_"
    if python[0].isdigit():
        python = f"_{python}"
    return f"{python}_" if keyword.iskeyword(python) else python
