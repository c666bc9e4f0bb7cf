"""One tool call, from a checked capability to an answer, whatever the tool is made of.

It knows neither MCP nor the client: what a call lacks it says with an exception of
`broker.elicitation`, and whoever asked turns that into a question to the person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .catalogue import Call, Catalogue, Source, Tool, ToolOutcome, UnknownTool, Wish
from .catalogue.source import Progress, silent
from .clients.scopes import check
from .kernels import Caller

_NO_WISH = Wish()


class Calls:
    """The tools, and how one is run."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def find(self, caller: Caller, name: str) -> Tool | None:
        """Return the tool of that name if `caller` may see it."""
        try:
            return self.catalogue.find(caller, name)[1]
        except UnknownTool:
            return None

    async def call(
        self,
        caller: Caller,
        name: str,
        arguments: Mapping[str, Any],
        progress: Progress = silent,
        wish: Wish = _NO_WISH,
    ) -> ToolOutcome:
        """Run a tool for `caller`.

        Raises `UnknownTool`, `Needs`, and `ValetError` for a client that may not call it, for bad
        arguments, and for what goes wrong on the way.
        """
        source, tool = await self._found(caller, name)
        check(caller, tool)
        tool.check(arguments)
        return await source.run(Call(caller, tool, arguments, wish, progress))

    async def _found(self, caller: Caller, name: str) -> tuple[Source, Tool]:
        """Find a tool, also one whose source is only just learning of it. Raises `UnknownTool`."""
        try:
            return self.catalogue.find(caller, name)
        except UnknownTool:
            await self.catalogue.prepare(caller)
            return self.catalogue.find(caller, name)
