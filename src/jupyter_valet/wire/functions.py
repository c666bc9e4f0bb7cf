"""Functions of a notebook that are tools: what the kernel declares, and how it is called.

The kernel keeps one request waiting at the broker and gets calls as its answer, so nothing in a
kernel listens. All of it is the kernel's own word, and only ever about the kernel's own functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from .views import _View

TOOLSET = "notebook"
"""The toolset of functions that name no other."""

MOST_FUNCTIONS = 200
"""Functions that one kernel may declare."""

MOST_CALLS = 32
"""Calls of one kernel's functions that may be under way or wait to be fetched."""

MAX_BODY = 4_000_000
"""Largest declaration or result, in bytes of JSON."""

POLL_SECONDS = 25.0
"""The longest that the request for calls waits."""


@dataclass(frozen=True)
class Function(_View):
    """One function, as its kernel declares it."""

    name: str
    """Its name inside the toolset: a Python identifier in lower case."""
    title: str
    description: str
    input_schema: dict[str, Any]
    access: str = "write"
    """`read` or `write`, as its author says of it: a claim, shown as one."""
    toolset: str = TOOLSET
    connections: dict[str, list[str]] = field(default_factory=dict)
    """Scopes by provider, without which the function is not worth calling."""


@dataclass(frozen=True)
class FunctionCall(_View):
    """One call that the kernel shall make. `id` means nothing outside this kernel and broker."""

    id: str
    name: str
    """The whole name: `<toolset>_<function>`."""
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Calls(_View):
    """The answer to the waiting request: calls to make, and calls that nobody waits for any more.

    `known` is False when the broker has no declaration of this kernel (it was restarted): declare
    again.
    """

    calls: list[FunctionCall] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    known: bool = True

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build the answer, and the calls in it, from decoded JSON."""
        calls = [FunctionCall.from_json(c) for c in data.get("calls", [])]
        return super().from_json({**data, "calls": calls})


@dataclass(frozen=True)
class Report(_View):
    """What a kernel says of a call: how far it is (`done` is False), or what it came to.

    Of an error the broker is told `error`, words that the function's author wrote for whoever
    calls, or the exception's type; the traceback stays in the kernel.
    """

    done: bool
    result: Any = None
    content: list[dict[str, Any]] = field(default_factory=list)
    """Content blocks of MCP, when the result is more than JSON."""
    error: str = ""
    progress: float = 0.0
    total: float | None = None
    message: str = ""
