"""An operation as a document describes it, whichever format that has: OpenAPI 3.1's terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from .tree import Document

NOTHING = msgspec.Raw(b"null")


class Described(msgspec.Struct):
    """The members of an Operation Object that are used (OpenAPI 3.1.1, §4.8.10; 2.0 has two more).

    The last two are for what goes with every request, which only Discovery knows.
    """

    operationId: Any = None
    summary: Any = None
    description: Any = None
    parameters: Any = None
    requestBody: Any = None
    responses: msgspec.Raw = NOTHING
    servers: Any = None
    security: Any = None
    tags: Any = None
    deprecated: Any = None
    consumes: Any = None
    produces: Any = None
    fixed_query: tuple[tuple[str, str], ...] = ()
    fixed_headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Found:
    """One operation of a document. `key` says which, for a person and for its name's digest."""

    key: str
    method: str
    path: str
    described: Described
    shared: Any = None
    """The parameters of its path item."""
    servers: Any = None
    """The servers of its path item."""


@dataclass(frozen=True)
class Skipped:
    """An operation that is not offered, and why."""

    operation: str
    reason: str


@dataclass(frozen=True)
class Meta:
    """What a document says of itself."""

    format: str
    title: str
    description: str
    version: str


class Format(Protocol):
    """A format of documents, read into the same terms."""

    document: Document
    meta: Meta
    servers: Any
    """The document's own servers (OpenAPI 3.1.1, §4.8.5)."""
    security: Any
    """What an operation needs that says nothing of it."""
    any_scope: bool
    """Whether each requirement of an operation is one scope of which any one does."""
    dotted_labels: bool
    """Whether style `label` is that of 3.0.3 and 3.1.0."""

    def operations(self, skipped: list[Skipped]) -> Iterable[Found]:
        """Find the operations; what is none is added to `skipped`."""

    def schemes(self) -> Mapping[str, Any]:
        """Return the security schemes, by name (OpenAPI 3.1.1, §4.8.27)."""
