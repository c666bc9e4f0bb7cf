"""Tools that are operations of an API: the source behind every toolset made of a document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..wire.errors import ValetError
from .authorized import Authorized, ScopeHeaders
from .catalogue import Call, ToolOutcome
from .egress import Response, build
from .kernels import Caller
from .oauth import Profile
from .policy.access import Use
from .toolsets import Tool, Toolset

_TEXTUAL = ("text/", "application/json", "application/xml", "application/x-ndjson")
_TEXTUAL_SUFFIXES = ("+json", "+xml")

FEW = 40
"""Operations up to which a toolset is listed: some 5,000 tokens."""


def shows(toolset: Toolset, few: int) -> bool:
    """Tell whether clients are shown the tools of `toolset`, or have to search for them."""
    return toolset.listing == "all" or (
        toolset.listing == "auto" and len(toolset.operations) <= few
    )


class Apis:
    """The operations of toolsets, run with the caller's connection."""

    def __init__(
        self,
        toolsets: Iterable[Toolset],
        authorized: Authorized,
        profiles: Mapping[str, Profile],
        *,
        few: int = FEW,
    ) -> None:
        sets = [
            (toolset, [Tool(toolset, one) for one in toolset.operations]) for toolset in toolsets
        ]
        self._all = tuple(tool for _, tools in sets for tool in tools)
        self._tools = {tool.name: tool for tool in self._all}
        self._listed = tuple(
            tool for toolset, tools in sets if shows(toolset, few) for tool in tools
        )
        self._authorized = authorized
        self._profiles = profiles

    def find(self, caller: Caller, name: str) -> Tool | None:
        """Return the tool of that name, or None."""
        return self._tools.get(name)

    def listed(self, caller: Caller) -> Sequence[Tool]:
        """Return the tools of toolsets that are listed; always the same tuple."""
        return self._listed

    def everything(self, caller: Caller) -> Sequence[Tool]:
        """Return every tool; always the same tuple."""
        return self._all

    async def run(self, call: Call) -> ToolOutcome:
        """Send the request that the call makes; raises as `Authorized.send` does."""
        tool = self._tools[call.tool.name]
        profile = self._profiles[tool.provider]
        request = build(tool.source, tool.operation, call.arguments)
        asker = f"The tool {tool.toolset}.{tool.short_name}"
        use = Use(tool.name, asker, request, tool.access, tool.operation.scopes, words=tool.title)
        headers = ScopeHeaders(tool.source.granted_header, tool.source.accepted_header)
        response = await self._authorized.send(call.caller, profile, use, headers)
        return outcome(response, profile.title)


def outcome(response: Response, title: str) -> ToolOutcome:
    """Return what an answer comes to; a refusal of upstream keeps what it said."""
    error = None
    if not response.ok:
        error = ValetError("upstream_error", provider=title, status=response.status)
    return ToolOutcome(_data(response), error)


def _data(response: Response) -> Any:
    """Return the body as JSON when it is that, as text when it is textual, else what it is."""
    if not response.body:
        return None
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith(_TEXTUAL) and not media_type.endswith(_TEXTUAL_SUFFIXES):
        return {"content_type": media_type, "bytes": len(response.body)}
    text = response.body.decode("utf-8", "replace")
    if "json" not in media_type or "ndjson" in media_type:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
