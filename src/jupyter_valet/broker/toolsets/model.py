"""What a tool is: one operation of an API, described well enough to call it safely."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..egress.origin import Origin
from ..egress.request import METHODS

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

Where = Literal["path", "query", "body"]


@dataclass(frozen=True)
class Parameter:
    """One argument: where it goes in the request and what it may be.

    `wire_name` is the API's own name for it where ours differs.
    """

    name: str
    where: Where
    schema: Mapping[str, Any]
    description: str
    required: bool = False
    wire_name: str = ""

    @property
    def sent_as(self) -> str:
        """The name in the request."""
        return self.wire_name or self.name


@dataclass(frozen=True)
class Operation:
    """One tool.

    `path` is a template whose placeholders are path parameters, one whole segment each. `scopes`
    are those that the connection must hold before the call is worth trying. `fixed_query` goes
    with every request. `origin` is set where an operation lives on another host than its toolset.
    """

    name: str
    summary: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    parameters: tuple[Parameter, ...] = ()
    scopes: frozenset[str] = frozenset()
    fixed_query: tuple[tuple[str, str], ...] = ()
    origin: Origin | None = None

    def __post_init__(self) -> None:
        in_path = {p.name for p in self.parameters if p.where == "path" and p.required}
        placeholders = set(_PLACEHOLDER.findall(self.path))
        if not _NAME.fullmatch(self.name) or in_path != placeholders:
            raise ValueError(f"operation {self.name!r} does not fit its path {self.path!r}")
        if self.method not in METHODS:
            raise ValueError(f"operation {self.name!r} has no method of an API")

    @property
    def access(self) -> Literal["read", "write"]:
        """Whether the operation changes anything at the provider."""
        return "read" if self.method == "GET" else "write"

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments; nothing that is not declared is taken."""
        return {
            "type": "object",
            "properties": {
                p.name: {**p.schema, "description": p.description} for p in self.parameters
            },
            "required": [p.name for p in self.parameters if p.required],
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Toolset:
    """The tools of one source, all used with connections of one provider.

    `headers` are fixed request headers of the API. `granted_header` and `accepted_header` name the
    response headers by which an API that knows no RFC 6750 challenge tells which scopes the token
    has and which would do (GitHub).
    """

    name: str
    title: str
    provider: str
    origin: Origin
    operations: tuple[Operation, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    granted_header: str = ""
    accepted_header: str = ""

    def __post_init__(self) -> None:
        names = [operation.name for operation in self.operations]
        if not _NAME.fullmatch(self.name) or len(set(names)) != len(names):
            raise ValueError(f"toolset {self.name!r} is not well-formed")

    def origin_of(self, operation: Operation) -> Origin:
        """Return where `operation` lives."""
        return operation.origin or self.origin
