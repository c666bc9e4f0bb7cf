"""Tools that are operations of an API: the source behind every toolset made of a document."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..wire.errors import ValetError
from .authorized import Authorized, ScopeHeaders
from .catalogue import Call, ToolOutcome
from .egress import Response, build
from .kernels import Caller
from .oauth import Profile
from .policy.access import Use
from .shaping import outcome, wait_seconds
from .toolsets import Tool, Toolset

PATIENCE = 3.0
"""Seconds that an API is waited for when it asks to: the strictest client gives up after 5."""

FEW = 40
"""Operations up to which a toolset is listed: some 5,000 tokens."""


def shows(toolset: Toolset, few: int, connected: frozenset[str] = frozenset()) -> bool:
    """Tell whether clients are shown the tools of `toolset`, or have to search for them."""
    if toolset.listing == "connected" and toolset.provider not in connected:
        return False
    return toolset.listing == "all" or (
        toolset.listing != "none" and len(toolset.operations) <= few
    )


class Apis:
    """The operations of toolsets, run with the caller's connection.

    `mark` tells a document of a notebook's own from others of its name: the notebook names its
    tools, so an approval holds for a tool of this very document (`Use.tool`).
    """

    def __init__(
        self,
        toolsets: Iterable[Toolset],
        authorized: Authorized,
        profiles: Mapping[str, Profile],
        *,
        few: int = FEW,
        mark: str = "",
    ) -> None:
        sets = [
            (toolset, [Tool(toolset, one) for one in toolset.operations]) for toolset in toolsets
        ]
        self._all = tuple(tool for _, tools in sets for tool in tools)
        self._tools = {tool.name: tool for tool in self._all}
        self._sets = sets
        self._few = few
        self._listed: dict[frozenset[str], tuple[Tool, ...]] = {}
        self._authorized = authorized
        self._profiles = profiles
        self._mark = f"@{mark}" if mark else ""
        self._terms: dict[str, _Terms] = {}

    def find(self, caller: Caller, name: str) -> Tool | None:
        """Return the tool of that name, or None."""
        return self._tools.get(name)

    def listed(self, caller: Caller) -> Sequence[Tool]:
        """Return the tools of toolsets that are listed; the same tuple for the same connections."""
        waiting = {toolset.provider for toolset, _ in self._sets if toolset.listing == "connected"}
        connected = frozenset(p for p in waiting if self._authorized.connected(caller, p))
        if connected not in self._listed:
            self._listed[connected] = tuple(
                tool
                for toolset, tools in self._sets
                if shows(toolset, self._few, connected)
                for tool in tools
            )
        return self._listed[connected]

    def everything(self, caller: Caller) -> Sequence[Tool]:
        """Return every tool; always the same tuple."""
        return self._all

    async def run(self, call: Call) -> ToolOutcome:
        """Send the request that the call makes; raises as `Authorized.send` does.

        An API that asks a read to wait a moment is waited for, once; all other waiting is the
        caller's, who is told with `ValetError` ("provider_busy"): an approval is for one sending.
        """
        tool = self._tools[call.tool.name]
        profile = self._profiles[tool.provider]
        response = await self._send(call, tool, profile)
        seconds = wait_seconds(response.status, response.headers)
        if seconds is not None and seconds <= PATIENCE and tool.access == "read":
            await call.progress(0, None, f"{profile.title} asks to wait {seconds:.0f} seconds")
            await asyncio.sleep(seconds)
            response = await self._send(call, tool, profile)
            seconds = wait_seconds(response.status, response.headers)
        if seconds is not None:
            raise ValetError("provider_busy", provider=profile.title, seconds=math.ceil(seconds))
        return outcome(tool, call.arguments, response, profile.title, call.wish)

    async def _send(self, call: Call, tool: Tool, profile: Profile) -> Response:
        request = build(tool.source, tool.operation, call.arguments)
        terms = self._terms.get(tool.name)
        if terms is None:
            terms = self._terms[tool.name] = _Terms.of(tool, self._mark)
        use = Use(
            terms.tool,
            terms.asker,
            request,
            tool.access,
            terms.scopes,
            terms.alternatives,
            tool.title,
        )
        return await self._authorized.send(call.caller, profile, use, terms.scope_headers)


class _Terms(NamedTuple):
    """What is the same for each use of one tool."""

    tool: str
    asker: str
    scopes: frozenset[str]
    alternatives: tuple[frozenset[str], ...]
    scope_headers: ScopeHeaders

    @classmethod
    def of(cls, tool: Tool, mark: str) -> _Terms:
        return cls(
            tool.name + mark,
            f"The tool {tool.toolset}.{tool.short_name}",
            tool.operation.scopes,
            tuple(need.scopes for need in tool.operation.alternatives),
            ScopeHeaders(tool.source.granted_header, tool.source.accepted_header),
        )
