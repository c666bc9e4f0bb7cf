"""The source of the tools that find tools."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from msgspec.structs import replace

from ...wire.errors import ValetError
from ..catalogue import Call, Catalogue, Source, Tool, ToolOutcome, UnknownTool
from ..clients.scopes import check as check_scope
from ..kernels import Caller
from ..shaping import UnusableProjection, projected, projection
from ..toolsets import Tool as ApiTool
from .index import Index
from .indexes import Indexes
from .ranking import search
from .tools import CALL, DESCRIBE, FEW, SEARCH, TOOLS
from .wording import described, found_tool


class Finding:
    """Searches a catalogue, which lists its tools only while there is something to find.

    A tool that is called through it is called as if by its own name: what it is asked, refused or
    charged for is decided by its own source, for its own name.
    """

    def __init__(self, catalogue: Catalogue, indexes: Indexes) -> None:
        self._catalogue = catalogue
        self._indexes = indexes
        self._named = {tool.name: tool for tool in TOOLS}

    def find(self, caller: Caller, name: str) -> Tool | None:
        """Return one of the three; they can be called also where they are not listed."""
        return self._named.get(name)

    def listed(self, caller: Caller) -> Sequence[Tool]:
        """Return the three, or nothing when every tool is listed."""
        return TOOLS if self._catalogue.hides(caller) else ()

    def everything(self, caller: Caller) -> Sequence[Tool]:
        """Return nothing: a search that finds itself helps nobody."""
        return ()

    async def run(self, call: Call) -> ToolOutcome:
        """Search, describe or call; raises what the called tool's source raises."""
        arguments = call.arguments
        if call.tool is SEARCH:
            return ToolOutcome(await self._search(call.caller, arguments))
        source, tool = self._find(call.caller, str(arguments["name"]))
        if call.tool is DESCRIBE:
            return ToolOutcome(described(tool))
        assert call.tool is CALL
        check_scope(call.caller, tool)
        given, fields = arguments.get("arguments", {}), arguments.get("fields", "")
        tool.check(given)
        _check(fields)
        wish = replace(call.wish, fields=fields)
        outcome = await source.run(replace(call, tool=tool, arguments=given, wish=wish))
        if fields and not isinstance(tool, ApiTool) and outcome.error is None:
            # An operation of an API has chosen already, from all that came.
            return replace(outcome, data=projected(fields, outcome.data), content=())
        return outcome

    def _find(self, caller: Caller, name: str) -> tuple[Source, Tool]:
        """Return a tool that is not one of the three. Raises `ValetError` with close names."""
        source: Source
        try:
            source, tool = self._catalogue.find(caller, name)
        except UnknownTool:
            source, tool = self, CALL
        if source is self:
            known = [tool.name for tool in self._catalogue.everything(caller)]
            close = difflib.get_close_matches(name[:128], known, n=3, cutoff=0.6)
            hint = f"Did you mean {' or '.join(close)}?" if close else f"Use {SEARCH.name}."
            raise ValetError("unknown_tool", what="tool", name=_shown(name), hint=hint)
        return source, tool

    async def _search(self, caller: Caller, arguments: Mapping[str, Any]) -> dict[str, Any]:
        toolset, limit = arguments.get("toolset"), arguments.get("limit", FEW)
        parts = [part for part in self._catalogue.parts(caller) if part]
        if not all(map(self._indexes.ready, parts)):
            # A large toolset's first index takes some tenths of a second.
            await anyio.to_thread.run_sync(lambda: [self._indexes.of(part) for part in parts])
        indexes: dict[str, Index] = {}
        for part in parts:
            for name, index in self._indexes.of(part).items():
                indexes.setdefault(name, index)
        if toolset is not None and toolset not in indexes:
            hint = f"There are {', '.join(sorted(indexes))}."
            raise ValetError("unknown_tool", what="toolset", name=_shown(toolset), hint=hint)
        chosen = list(indexes.values()) if toolset is None else [indexes[toolset]]
        found = search(chosen, arguments["query"], limit)
        tools = [self._find(caller, one.name)[1] for one in found]
        return {"tools": [found_tool(tool) for tool in tools]}


def _check(fields: str) -> None:
    """Refuse an expression that is none, before anything is called."""
    try:
        projection(fields or "@")
    except UnusableProjection as reason:
        what = f"`fields` {reason}"
        raise ValetError("bad_arguments", tool=CALL.name, what=what) from None


def _shown(name: str) -> str:
    return name[:80] if name.isprintable() else ascii(name[:80])
