"""`tools/list` in pages: each is made once, and a cursor finds its place by the name before it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, ListToolsResult

from ..catalogue import Tool
from .results import listed

PAGE = 200
"""Tools on one page: some 200 kB of a large API."""


class Pages:
    """One list of tools, as it is sent."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tools
        self._made: dict[int, ListToolsResult] = {}

    def page(self, cursor: str | None) -> ListToolsResult:
        """Return the page that `cursor` points to, the first without one; always the same object.

        Raises `MCPError` for a cursor that is none, or whose place is gone (server/utilities,
        pagination: -32602).
        """
        start = 0 if cursor is None else self._after(cursor)
        made = self._made.get(start)
        if made is None:
            shown = self._tools[start : start + PAGE]
            more = len(self._tools) > start + PAGE
            made = ListToolsResult(
                tools=listed(shown), next_cursor=_cursor(shown[-1].name) if more else None
            )
            # A list that changed between two pages begins elsewhere; its pages are not many.
            if len(self._made) > len(self._tools) // PAGE:
                self._made.clear()
            self._made[start] = made
        return made

    def _after(self, cursor: str) -> int:
        """Return the place behind the tool that the cursor names."""
        name = _name(cursor)
        for place, tool in enumerate(self._tools):
            if tool.name == name:
                return place + 1
        raise _bad()


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _bad() from None


def _bad() -> MCPError:
    return MCPError(code=INVALID_PARAMS, message="The cursor is not valid; begin again without one")
