"""What a person changes about a toolset, as plain data that can be kept in a configuration.

{"server": "https://github.example/api/v3", "variables": {"region": "eu"},
 "only": ["issues_*"], "without": ["*_delete_*"],
 "operations": {"issues_list": {"name": "list_issues", "description": "…", "access": "read",
                                "enabled": true, "defaults": {"per_page": 100},
                                "select": "[].{number: number, title: title}"}},
 "list": "all", "trim": false, "limit": 50000}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, cast

from ....wire.errors import ValetError
from ...shaping.projection import Projection, UnusableProjection
from ..model import Access, Listing, Operation, Shaping
from .text import first_sentence, plain

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_KNOWN = {"server", "variables", "only", "without", "operations", "list", "trim", "limit"}
_KNOWN_OF_ONE = {"name", "description", "access", "enabled", "defaults", "select"}
_LISTINGS = ("auto", "connected", "all", "none")
_LEAST, _MOST = 500, 1_000_000
_USUAL = Shaping()


@dataclass(frozen=True)
class Change:
    """What is changed about one operation; None leaves it as the document has it."""

    name: str | None = None
    description: str | None = None
    access: Access | None = None
    enabled: bool | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    select: str = ""

    def apply(self, operation: Operation) -> Operation:
        """Return the operation as the person wants it. Raises `ValetError("bad_overrides")`."""
        if self.name is not None:
            operation = replace(operation, name=self.name)
        if self.description is not None:
            text = plain(self.description, 1_000)
            operation = replace(operation, summary=first_sentence(text, 200), description=text)
        if self.access is not None:
            operation = replace(operation, effect=self.access)
        if self.select:
            operation = replace(operation, select=self.select)
        return self._with_defaults(operation) if self.defaults else operation

    def _with_defaults(self, operation: Operation) -> Operation:
        unknown = self.defaults.keys() - {p.name for p in operation.parameters}
        if unknown:
            raise _wrong(f"{operation.name} has no argument {min(unknown)[:40]}")
        parameters = []
        for parameter in operation.parameters:
            if parameter.name in self.defaults:
                schema = parameter.schema if isinstance(parameter.schema, Mapping) else {}
                schema = {**schema, "default": self.defaults[parameter.name]}
                # A path's parameters stay what its placeholders are; the schema lets them out.
                parameter = replace(parameter, schema=schema)
            parameters.append(parameter)
        return replace(operation, parameters=tuple(parameters), defaults=dict(self.defaults))


@dataclass(frozen=True)
class Overrides:
    """All that is changed about one toolset."""

    server: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    operations: Mapping[str, Change] = field(default_factory=dict)
    listing: Listing = "auto"
    shaping: Shaping = _USUAL

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Overrides:
        """Read plain data. Raises `ValetError("bad_overrides")` naming what is not valid."""
        _check_keys(data, _KNOWN, "a toolset")
        changes = data.get("operations", {})
        if not isinstance(changes, Mapping):
            raise _wrong("`operations` must be an object")
        return cls(
            _text(data.get("server", ""), "server"),
            {k: _text(v, "variables") for k, v in _object(data.get("variables", {})).items()},
            _patterns(data["only"], "only") if "only" in data else None,
            _patterns(data.get("without", []), "without"),
            {name: _change(name, change) for name, change in changes.items()},
            _listing(data.get("list", "auto")),
            _shaping(data),
        )

    def wanted(self, name: str) -> bool:
        """Tell whether an operation is switched on: its own switch first, then the patterns."""
        change = self.operations.get(name)
        if change is not None and change.enabled is not None:
            return change.enabled
        chosen = self.only is None or _matches(name, self.only)
        return chosen and not _matches(name, self.without)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _wrong(what: str) -> ValetError:
    return ValetError("bad_overrides", what=what)


def _check_keys(data: object, known: set[str], where: str) -> None:
    if not isinstance(data, Mapping):
        raise _wrong(f"what is set for {where} must be an object")
    for key in data:
        if key not in known:
            raise _wrong(f"{where} has no setting {str(key)[:40]!r}")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(f"`{name}` must be text")
    return value


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong("`variables` and `defaults` must be objects")
    return value


def _patterns(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(p, str) for p in value):
        raise _wrong(f"`{name}` must be a list of names or patterns")
    return tuple(value)


def _listing(value: object) -> Listing:
    if value not in _LISTINGS:
        raise _wrong(f"`list` must be one of {', '.join(_LISTINGS)}")
    return cast(Listing, value)


def _shaping(data: Mapping[str, Any]) -> Shaping:
    trim, limit = data.get("trim", True), data.get("limit", Shaping.limit)
    if not isinstance(trim, bool):
        raise _wrong("`trim` must be true or false")
    if not isinstance(limit, int) or not _LEAST <= limit <= _MOST:
        raise _wrong(f"`limit` must be a number from {_LEAST:,} to {_MOST:,}")
    return Shaping(trim, limit)


def _selection(name: str, value: object) -> str:
    try:
        Projection(_text(value, "select"))
    except UnusableProjection as reason:
        raise _wrong(f"`select` of {name[:64]} {reason}") from None
    return str(value)


def _change(name: str, data: object) -> Change:
    _check_keys(data, _KNOWN_OF_ONE, "an operation")
    assert isinstance(data, Mapping)
    new, access, enabled = data.get("name"), data.get("access"), data.get("enabled")
    if new is not None and (not isinstance(new, str) or not _NAME.fullmatch(new)):
        raise _wrong(f"the new name of {name[:64]} must be lower-case letters, digits and _")
    if access not in (None, "read", "write"):
        raise _wrong(f"the access of {name[:64]} must be read or write")
    if enabled not in (None, True, False):
        raise _wrong(f"`enabled` of {name[:64]} must be true or false")
    description = data.get("description")
    if description is not None:
        _text(description, "description")
    select = _selection(name, data["select"]) if "select" in data else ""
    return Change(
        new, description, access, enabled, dict(_object(data.get("defaults", {}))), select
    )
