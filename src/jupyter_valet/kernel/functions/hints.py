"""From type hints to JSON Schema, and from JSON arguments to what the hints promise.

What is not listed here cannot be a parameter: a schema that says "anything" would have a model
guess. Sources: JSON Schema 2020-12 (validation: types, enum, format), PEP 484, 586, 593, 604.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import pathlib
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

Schema = dict[str, Any]
Convert = Callable[[Any], Any]


class Unsupported(TypeError):
    """A hint that no JSON argument can satisfy."""


@dataclass(frozen=True)
class Kind:
    """One hint: its schema, and how an accepted JSON value becomes what the hint says."""

    schema: Schema
    convert: Convert


def _same(value: Any) -> Any:
    return value


_PLAIN: dict[Any, Kind] = {
    str: Kind({"type": "string"}, _same),
    bool: Kind({"type": "boolean"}, _same),
    int: Kind({"type": "integer"}, int),  # JSON Schema counts 3.0 as an integer
    float: Kind({"type": "number"}, float),
    None: Kind({"type": "null"}, _same),
    type(None): Kind({"type": "null"}, _same),
    dict: Kind({"type": "object"}, _same),
    list: Kind({"type": "array"}, _same),
    tuple: Kind({"type": "array"}, tuple),
    set: Kind({"type": "array", "uniqueItems": True}, set),
    datetime.datetime: Kind(
        {"type": "string", "format": "date-time"}, datetime.datetime.fromisoformat
    ),
    datetime.date: Kind({"type": "string", "format": "date"}, datetime.date.fromisoformat),
    datetime.time: Kind({"type": "string", "format": "time"}, datetime.time.fromisoformat),
    decimal.Decimal: Kind({"type": ["string", "number"]}, lambda v: decimal.Decimal(str(v))),
    uuid.UUID: Kind({"type": "string", "format": "uuid"}, uuid.UUID),
    pathlib.Path: Kind({"type": "string"}, pathlib.Path),
    bytes: Kind(
        {"type": "string", "contentEncoding": "base64"},
        lambda v: base64.b64decode(v, validate=True),
    ),
}


def kind(hint: Any) -> Kind:
    """Return what `hint` means. Raises `Unsupported`."""
    if isinstance(hint, typing.TypeVar | str):
        raise Unsupported(str(hint))
    try:
        if hint in _PLAIN:
            return _PLAIN[hint]
    except TypeError:
        pass  # not hashable: one of those below
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(args)
    if origin is Literal:
        return Kind({"enum": list(args)}, _same)
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is not None:
        return _generic(hint, origin, args)
    if isinstance(hint, type):
        return _class(hint)
    raise Unsupported(_name(hint))


def _annotated(args: tuple[Any, ...]) -> Kind:
    """PEP 593: a string is the description, a mapping more of the schema."""
    inner = kind(args[0])
    schema = dict(inner.schema)
    for extra in args[1:]:
        if isinstance(extra, str):
            schema["description"] = extra
        elif isinstance(extra, Mapping):
            schema.update(extra)
        elif isinstance(words := getattr(extra, "description", None), str):
            schema["description"] = words  # pydantic's Field
    return Kind(schema, inner.convert)


def _union(args: tuple[Any, ...]) -> Kind:
    kinds = [kind(arg) for arg in args]
    schemas = [k.schema for k in kinds]
    types_ = [schema.get("type") for schema in schemas]
    if all(isinstance(t, str) and len(s) == 1 for t, s in zip(types_, schemas, strict=True)):
        return Kind({"type": types_}, _first_that_fits(kinds))
    return Kind({"anyOf": schemas}, _first_that_fits(kinds))


def _first_that_fits(kinds: list[Kind]) -> Convert:
    def convert(value: Any) -> Any:
        for one in kinds:
            if _looks_like(value, one.schema):
                try:
                    return one.convert(value)
                except (TypeError, ValueError):
                    continue
        return value

    return convert


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
    "object": (dict,),
    "array": (list,),
}


def _looks_like(value: Any, schema: Schema) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    named = schema.get("type")
    if named is None:
        return True
    names = [named] if isinstance(named, str) else named
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, _JSON_TYPES[name]) for name in names)


def _generic(hint: Any, origin: Any, args: tuple[Any, ...]) -> Kind:
    if origin is tuple and args and args[-1] is not Ellipsis:
        return _fixed_tuple(args)
    name = getattr(origin, "__name__", "")
    if name in ("list", "set", "frozenset", "tuple", *_SEQUENCES):
        item = kind(args[0])
        build = {"set": set, "frozenset": frozenset, "tuple": tuple}.get(name, list)
        schema: Schema = {"type": "array", "items": item.schema}
        if name in ("set", "frozenset"):
            schema["uniqueItems"] = True
        return Kind(schema, lambda values: build(map(item.convert, values)))
    if name in ("dict", "Mapping", "MutableMapping") and args[0] is str:
        value = kind(args[1])
        return Kind(
            {"type": "object", "additionalProperties": value.schema},
            lambda found: {k: value.convert(v) for k, v in found.items()},
        )
    raise Unsupported(_name(hint))


_SEQUENCES = ("Sequence", "Iterable", "Collection", "MutableSequence")


def _fixed_tuple(args: tuple[Any, ...]) -> Kind:
    kinds = [kind(arg) for arg in args]
    schema = {
        "type": "array",
        "prefixItems": [k.schema for k in kinds],
        "minItems": len(kinds),
        "maxItems": len(kinds),
    }
    return Kind(schema, lambda v: tuple(k.convert(item) for k, item in zip(kinds, v, strict=True)))


def _class(hint: type) -> Kind:
    if issubclass(hint, enum.Enum):
        return Kind({"enum": [member.value for member in hint]}, hint)
    if callable(schema := getattr(hint, "model_json_schema", None)):  # pydantic, if it is there
        return Kind(schema(), hint.model_validate)  # type: ignore[attr-defined]
    if dataclasses.is_dataclass(hint):
        return _fields(
            hint,
            {f.name for f in dataclasses.fields(hint) if _needed(f)},
            lambda values: hint(**values),
        )
    if typing.is_typeddict(hint):
        return _fields(hint, set(hint.__required_keys__), dict)  # type: ignore[attr-defined]
    raise Unsupported(_name(hint))


def _needed(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _fields(hint: type, required: set[str], build: Convert) -> Kind:
    kinds = {n: kind(h) for n, h in typing.get_type_hints(hint, include_extras=True).items()}
    schema = {
        "type": "object",
        "properties": {name: k.schema for name, k in kinds.items()},
        "required": sorted(required),
        "additionalProperties": False,
    }
    return Kind(schema, lambda v: build({n: kinds[n].convert(x) for n, x in v.items()}))


def _name(hint: Any) -> str:
    return getattr(hint, "__qualname__", None) or str(hint)
