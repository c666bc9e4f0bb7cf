"""What a source of tools must offer, and what a call is and comes to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from ...wire.errors import ValetError
from ..kernels import Caller
from .tool import Tool

Progress = Callable[[float, float | None, str], Awaitable[None]]
"""How far a call is: done, of how much (None: unknown), and in words of the tool."""


class UnknownTool(LookupError):
    """There is no tool of that name for this caller."""


async def silent(done: float, total: float | None, message: str) -> None:
    """Nobody wants to know."""


class Wish(Struct, frozen=True):
    """In which form a caller would like the data; it never decides what is sent or asked.

    `whole` is for a person's code, which takes everything; a model is given less. `fields` is a
    JMESPath expression that chooses from what a model may be given.
    """

    whole: bool = False
    fields: str = ""


class Call(Struct, frozen=True):
    """One call of a tool, its arguments checked. Cancelling the task cancels the call."""

    caller: Caller
    tool: Tool
    arguments: Mapping[str, Any]
    wish: Wish = Wish()
    progress: Progress = silent


class ToolOutcome(Struct, frozen=True):
    """What a call came to: `data` is JSON or text, `error` says that the tool did not succeed.

    `content`, when there is any, is what MCP's content blocks are made of instead of `data`: plain
    dictionaries in the form of the specification (`text`, `image`, `audio`, `resource_link`).
    `meta` is told to clients, and by them to no model.
    """

    data: Any
    error: ValetError | None = None
    content: Sequence[Mapping[str, Any]] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    spoken: bool = True
    """Whether data is put into text besides, for who reads no data: a person's code does."""


class Source(Protocol):
    """Tools of one making.

    Look-ups are synchronous and cheap. `listed` and `everything` return the same object for as long
    as nothing has changed, so that what is derived from it can be kept.
    """

    def find(self, caller: Caller, name: str) -> Tool | None:
        """Return the tool of that name, if this caller may see it."""

    def listed(self, caller: Caller) -> Sequence[Tool]:
        """Return the tools that `tools/list` shows this caller without being asked for more."""

    def everything(self, caller: Caller) -> Sequence[Tool]:
        """Return every tool that this caller may find, for search and for a full listing."""

    async def run(self, call: Call) -> ToolOutcome:
        """Do the work.

        Raises `Needs` (`broker.elicitation`) for what only the person can give, `ValetError` for
        what goes wrong on the way.
        """
