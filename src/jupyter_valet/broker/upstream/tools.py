"""The tools of an upstream server as ours: named, bounded, and with none of its claims believed.

Its annotations are hints of a stranger: a tool counts as one that writes unless the person has said
that it only reads (MCP, "Tool annotations": untrusted unless the server is).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

import jsonschema_rs

from ...wire.errors import ValetError
from ..toolsets.bounded import validator
from .schema import BadSchema, checked, plain
from .settings import Server

MOST = 1_000
"""Tools of one server; what comes after them is left out."""

LARGEST_LIST = 700_000
"""Bytes of all descriptions and schemas together: what a vault's record can hold."""

LONGEST_NAME = 64
LONGEST_DESCRIPTION = 2_000
LONGEST_TITLE = 100
_LONGEST_UPSTREAM_NAME = 256

_WORDS = re.compile(r"[a-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Offer:
    """A tool as an upstream server described it, checked. `upstream` is its own name for it."""

    upstream: str
    short_name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """What a person or a model went by: another digest is another tool."""
        said = [self.upstream, self.title, self.description, self.input_schema]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "upstream": self.upstream,
            "short_name": self.short_name,
            "title": self.title,
            "description": self.description,
            "input_schema": self.input_schema,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build it from `to_json`."""
        return cls(**data)


@dataclass(frozen=True)
class Offers:
    """What a server offers, and what of it cannot be used, with the reason."""

    tools: tuple[Offer, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Described:
    """A tool of a `tools/list`, before anything of it is believed."""

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]


def offers(toolset: str, found: Iterable[Described]) -> Offers:
    """Check and name what a server listed; one bad tool is left out, never the list.

    Names depend on the tools alone, not on their order: two that would be called the same are told
    apart by a digest of their own names, unless one of them has the name already.
    """
    listed = list({tool.name: tool for tool in found}.values())
    left_out = {plain(tool.name, 100): "there are too many tools" for tool in listed[MOST:]}
    listed = listed[:MOST]
    wanted = Counter(_snake(tool.name) for tool in listed)
    exact = {tool.name for tool in listed}
    made: list[Offer] = []
    room = LARGEST_LIST
    for tool in listed:
        snake = _snake(tool.name)
        shared = wanted[snake] > 1 and not (tool.name == snake and snake in exact)
        try:
            offer = _offer(toolset, tool, distinct=shared)
            room -= len(json.dumps(offer.to_json()))
            if room < 0:
                raise BadSchema("the list is too large")
            made.append(offer)
        except BadSchema as bad:
            left_out[plain(tool.name, 100)] = str(bad)
    return Offers(tuple(made), left_out)


def _offer(toolset: str, tool: Described, *, distinct: bool) -> Offer:
    if not tool.name or len(tool.name) > _LONGEST_UPSTREAM_NAME or not tool.name.isprintable():
        raise BadSchema("its name cannot be used")
    schema = checked(tool.input_schema)
    offer = Offer(
        tool.name,
        _short_name(toolset, tool.name, distinct=distinct),
        " ".join(plain(tool.title, LONGEST_TITLE).split()) or plain(tool.name, LONGEST_TITLE),
        plain(tool.description, LONGEST_DESCRIPTION),
        schema,
    )
    _compiled(schema)
    return offer


def _snake(name: str) -> str:
    return "_".join(_WORDS.findall(_HUMP.sub("_", name).lower()))


def _short_name(toolset: str, name: str, *, distinct: bool) -> str:
    """Return a name of `[a-z0-9_]` that fits behind the toolset's in 64 characters."""
    snake = _snake(name)
    room = LONGEST_NAME - len(toolset) - 1
    if snake and len(snake) <= room and not distinct:
        return snake
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{snake[: room - len(mark) - 1].rstrip('_')}_{mark}".lstrip("_")


def _compiled(schema: Mapping[str, Any]) -> Any:
    try:
        return validator(schema)
    except (ValueError, jsonschema_rs.ReferencingError):
        raise BadSchema("its schema cannot be used") from None


@dataclass(frozen=True)
class UpstreamTool:
    """One tool in the list of all tools."""

    server: Server
    offer: Offer
    provider: str
    changed: bool = False
    """Whether it is another than the one that was first seen under its name."""
    destructive: bool = True
    idempotent: bool = False

    @property
    def name(self) -> str:
        """The name in MCP: `<toolset>_<tool>`."""
        return f"{self.server.name}_{self.offer.short_name}"

    @property
    def toolset(self) -> str:
        """The name of its server."""
        return self.server.name

    @property
    def short_name(self) -> str:
        """Name inside the toolset."""
        return self.offer.short_name

    @property
    def title(self) -> str:
        """What its server calls it."""
        return self.offer.title

    @property
    def description(self) -> str:
        """What its server says of it, and whose words they are."""
        said = self.offer.description or self.offer.title
        return f"{said} (As told by {self.server.words}.)"

    @property
    def access(self) -> Literal["read", "write"]:
        """A read only by the person's own word, and only while it is the tool they knew."""
        return "read" if not self.changed and self.server.is_read(self.offer.upstream) else "write"

    @property
    def input_schema(self) -> Mapping[str, Any]:
        """JSON Schema of the arguments."""
        return self.offer.input_schema

    @cached_property
    def _validator(self) -> Any:
        return _compiled(self.offer.input_schema)

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` naming the first argument that is not what the schema says."""
        for error in self._validator.iter_errors(dict(arguments)):
            raise ValetError("bad_arguments", tool=self.name, what=_fault(error))


def _fault(error: Any) -> str:
    """Put a schema error into words of ours: neither the schema's nor the caller's are in it."""
    keyword = str(error.schema_path[-1]) if error.schema_path else ""
    if keyword == "required" and not error.instance_path:
        return f"{plain(str(error.kind.property), 64)} is missing"
    if keyword == "additionalProperties" and not error.instance_path:
        return "it takes no argument of that name"
    where = plain(str(error.instance_path[0]), 64) if error.instance_path else "the arguments"
    return f"{where} must be as its schema says"
