"""A compiled document: a toolset whose operations are unpacked when they are used.

It is packed the same way in memory and in a file, so starting again reads names and summaries, and
of a thousand operations only those that are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from ...egress.origin import Origin
from ..model import (
    Access,
    Body,
    Listing,
    Method,
    Need,
    Operation,
    Paging,
    Parameter,
    Returns,
    Shaping,
    Toolset,
)
from .security import Scheme
from .shapes import Meta, Skipped

FORMAT = 2
"""Goes up whenever what is packed changes, so that no old file is read as a new one."""


@dataclass(frozen=True)
class Detail:
    """What of an operation is needed to call it. `defs` are names: many operations share them."""

    parameters: tuple[Parameter, ...]
    defs: tuple[str, ...]
    body: Body | None
    alternatives: tuple[Need, ...]
    fixed_query: tuple[tuple[str, str], ...]
    fixed_headers: tuple[tuple[str, str], ...]
    accept: str
    defaults: dict[str, Any]
    returns: Returns
    paging: Paging | None
    select: str


class Head(msgspec.Struct, array_like=True, frozen=True):
    """What of an operation is needed to list it, and where its detail is."""

    name: str
    summary: str
    description: str
    method: Method
    path: str
    tags: tuple[str, ...]
    deprecated: bool
    origin: int
    effect: Access | None
    start: int
    stop: int


class Index(msgspec.Struct, frozen=True):
    """All but the details."""

    format: int
    name: str
    provider: str
    meta: Meta
    origins: tuple[str, ...]
    heads: tuple[Head, ...]
    defs: dict[str, tuple[int, int]]
    schemes: tuple[Scheme, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    listing: Listing = "auto"
    shaping: Shaping = Shaping()


_index = msgspec.json.Decoder(Index)
_detail = msgspec.json.Decoder(Detail)
_EAGER = (
    "name", "summary", "description", "method", "path", "tags", "deprecated", "effect",
)  # fmt: skip


def _later(name: str) -> Any:
    """Return a property that is a member of the detail, unpacked when it is first asked for."""
    return cached_property(lambda operation: getattr(operation.detail, name))


class Deferred(Operation):
    """An operation of which only the head is there until something else is asked for.

    Like any other it can be compared, and copied with `dataclasses.replace`.
    """

    parameters = _later("parameters")
    body = _later("body")
    alternatives = _later("alternatives")
    fixed_query = _later("fixed_query")
    fixed_headers = _later("fixed_headers")
    accept = _later("accept")
    defaults = _later("defaults")
    returns = _later("returns")
    paging = _later("paging")
    select = _later("select")
    defs: Any = cached_property(lambda operation: operation._defs())
    scopes: Any = cached_property(
        lambda operation: next((need.scopes for need in operation.alternatives), frozenset())
    )

    @classmethod
    def of(
        cls,
        head: Head,
        origin: Origin | None,
        defs: Mapping[str, tuple[int, int]],
        details: memoryview,
    ) -> Deferred:
        """Return the operation that was packed as `head`."""
        made = object.__new__(cls)
        for name in _EAGER:
            made.__dict__[name] = getattr(head, name)
        made.__dict__.update(
            origin=origin, _place=(head.start, head.stop), _places=defs, _packed=details
        )
        return made

    @cached_property
    def detail(self) -> Detail:
        """What was packed, all at once."""
        start, stop = self.__dict__["_place"]
        return _detail.decode(self.__dict__["_packed"][start:stop])

    def _defs(self) -> dict[str, Any]:
        places, packed = self.__dict__["_places"], self.__dict__["_packed"]
        found = {name: places[name] for name in self.detail.defs}
        return {name: msgspec.json.decode(packed[a:b]) for name, (a, b) in found.items()}


@dataclass(frozen=True)
class Compiled:
    """What a document came to.

    `skipped` has the operations that are not offered, with the reason; `schemes` is what a
    provider's profile can be proposed from; `notes` is what a person should know besides.
    """

    toolset: Toolset
    meta: Meta
    schemes: tuple[Scheme, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    index: bytes = field(default=b"", repr=False, compare=False)
    details: bytes = field(default=b"", repr=False, compare=False)

    @property
    def title(self) -> str:
        """The API's own name."""
        return self.meta.title

    @property
    def description(self) -> str:
        """What the API says it is for."""
        return self.meta.description

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Every host that an operation is on; a profile must name them all."""
        found = (self.toolset.origin, *map(self.toolset.origin_of, self.toolset.operations))
        return tuple(dict.fromkeys(found))


_USUAL = Shaping()


class Packer:
    """Takes operations one by one, so that none has to stay whole."""

    def __init__(self) -> None:
        self._details = bytearray()
        self._heads: list[Head] = []
        self._origins: dict[str, int] = {}
        self._defs: dict[str, tuple[int, int]] = {}

    def add(self, operation: Operation, origin: Origin) -> None:
        """Pack one operation that lives at `origin`."""
        for name, schema in operation.defs.items():
            if name not in self._defs:
                self._defs[name] = self._put(schema)
        detail = Detail(
            operation.parameters,
            tuple(operation.defs),
            operation.body,
            operation.alternatives,
            operation.fixed_query,
            operation.fixed_headers,
            operation.accept,
            dict(operation.defaults),
            operation.returns,
            operation.paging,
            operation.select,
        )
        self._heads.append(
            Head(
                operation.name,
                operation.summary,
                operation.description,
                operation.method,
                operation.path,
                operation.tags,
                operation.deprecated,
                self._origins.setdefault(str(origin), len(self._origins)),
                operation.effect,
                *self._put(detail),
            )
        )

    def _put(self, value: object) -> tuple[int, int]:
        start = len(self._details)
        self._details += msgspec.json.encode(value)
        return start, len(self._details)

    def compiled(
        self,
        name: str,
        provider: str,
        meta: Meta,
        schemes: tuple[Scheme, ...],
        skipped: tuple[Skipped, ...],
        notes: tuple[str, ...],
        listing: Listing = "auto",
        shaping: Shaping = _USUAL,
    ) -> Compiled:
        """Return all that was added."""
        heads = tuple(sorted(self._heads, key=lambda head: head.name))
        origins = tuple(self._origins)
        index = Index(
            FORMAT,
            name,
            provider,
            meta,
            origins,
            heads,
            self._defs,
            schemes,
            skipped,
            notes,
            listing,
            shaping,
        )
        return _compiled(index, msgspec.json.encode(index), bytes(self._details))


def unpacked(index: bytes, details: bytes) -> Compiled:
    """Return what was packed. Raises `ValueError` for what was not packed by this version."""
    read = _index.decode(index)
    if read.format != FORMAT or any(head.stop > len(details) for head in read.heads):
        raise ValueError("not of this version")
    return _compiled(read, index, details)


def _compiled(index: Index, packed: bytes, details: bytes) -> Compiled:
    origins = [Origin.parse(text) for text in index.origins]
    view = memoryview(details)
    operations = tuple(
        Deferred.of(head, origins[head.origin] if head.origin else None, index.defs, view)
        for head in index.heads
    )
    title = index.meta.title or index.name
    toolset = Toolset(
        index.name,
        title,
        index.provider,
        origins[0],
        operations,
        listing=index.listing,
        shaping=index.shaping,
    )
    return Compiled(toolset, index.meta, index.schemes, index.skipped, index.notes, packed, details)
