"""What a notebook says to add an API, and what it is told about those that were added."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .views import _View

MAX_DOCUMENT = 32_000_000
"""Largest document of an API, in bytes; the largest public ones have some 13 MB."""

MOST_ADDED = 20
"""APIs that one notebook may add."""


@dataclass(frozen=True)
class AddRequest(_View):
    """A notebook adds an API. The document is the notebook's: the broker fetches nothing for it."""

    name: str
    """The toolset's: lower-case letters, digits and `_`."""
    document: str
    """OpenAPI, Swagger or Google Discovery, in JSON or YAML."""
    url: str = ""
    """Where it came from: relative servers are resolved against it."""
    provider: str = ""
    """Whose connections its tools use; empty: the one that the hosts belong to, or a new one."""
    scheme: str = ""
    """Which of the document's security schemes is used; empty: the best."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """docs/tools.md; that an operation only reads cannot be said here."""


@dataclass(frozen=True)
class ServerRequest(_View):
    """A notebook adds an upstream MCP server."""

    name: str
    url: str


@dataclass(frozen=True)
class ToolsetView(_View):
    """One API that was added."""

    name: str
    title: str
    source: str
    provider: str
    provider_title: str
    hosts: list[str] = field(default_factory=list)
    reads: int = 0
    writes: int = 0
    skipped: list[dict[str, str]] = field(default_factory=list)
    """Operations that are not offered, each with the reason."""
    notes: list[str] = field(default_factory=list)
    removable: bool = True
    """Whether it is this notebook's own."""
