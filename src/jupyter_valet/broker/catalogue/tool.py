"""What the list says of a tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

Access = Literal["read", "write"]

FINDING = "valet"
"""The toolset of the tools that find and call others; nothing else may have its name."""


class Tool(Protocol):
    """A tool as it is offered, whatever does its work. Everything but `check` is plain data."""

    @property
    def name(self) -> str:
        """The name in MCP: `<toolset>_<tool>`, at most 64 characters of `[a-z0-9_]`."""

    @property
    def toolset(self) -> str:
        """Name of the toolset it belongs to."""

    @property
    def short_name(self) -> str:
        """Name inside the toolset."""

    @property
    def title(self) -> str:
        """A few words for people."""

    @property
    def description(self) -> str:
        """What a model reads to choose it; the first sentence says what it does."""

    @property
    def provider(self) -> str:
        """Name of the provider whose connection it needs, or nothing."""

    @property
    def access(self) -> Access:
        """Whether it may change anything outside."""

    @property
    def destructive(self) -> bool:
        """Whether it may undo or replace what is there, as far as its source tells."""

    @property
    def idempotent(self) -> bool:
        """Whether calling it twice does no more than calling it once."""

    @property
    def input_schema(self) -> Mapping[str, Any]:
        """JSON Schema (2020-12) of the arguments; its type is `object`."""

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` naming the first argument that is not what the schema says."""
