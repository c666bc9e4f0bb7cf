"""A tool as it is offered: an operation under its full name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from .checking import Check
from .model import Operation, Toolset


@dataclass(frozen=True)
class Tool:
    """One operation of one toolset."""

    source: Toolset
    operation: Operation

    @cached_property
    def name(self) -> str:
        """The name in MCP: `<toolset>_<operation>`."""
        return f"{self.source.name}_{self.operation.name}"

    @property
    def toolset(self) -> str:
        """Name of the toolset."""
        return self.source.name

    @property
    def short_name(self) -> str:
        """Name inside the toolset."""
        return self.operation.name

    @property
    def title(self) -> str:
        """What it does, for people."""
        return self.operation.summary

    @property
    def description(self) -> str:
        """What it does and where, for a model."""
        return f"{self.operation.summary} ({self.source.title})."

    @property
    def access(self) -> Literal["read", "write"]:
        """Whether the operation changes anything at the provider."""
        return self.operation.access

    @property
    def destructive(self) -> bool:
        """Whether it may undo or replace what is there, by its method (RFC 9110 §9)."""
        return self.access == "write" and self.operation.method in ("DELETE", "PUT", "PATCH")

    @property
    def idempotent(self) -> bool:
        """Whether its method is (RFC 9110 §9.2.2)."""
        return self.operation.method not in ("POST", "PATCH")

    @property
    def provider(self) -> str:
        """Name of the provider whose connection it needs."""
        return self.source.provider

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return self.operation.input_schema

    @cached_property
    def _check(self) -> Check:
        return Check(self.name, self.input_schema)

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ValetError` naming the first argument that is not what the schema says."""
        self._check(arguments)
