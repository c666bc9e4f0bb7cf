"""What the endpoint does when it is asked, whichever dispatcher has read the request."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mcp.server.streamable_http import REQUEST_CANCELLED
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import X_MCP_HEADER_KEY
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from ...wire.errors import ValetError
from ...wire.mcp import LIST_ALL, META_LIST
from ..catalogue import Tool, ToolOutcome, UnknownTool
from ..control import describe
from ..kernels import Caller
from .elicit import Asking, call_tool
from .exchange import CallParams, Exchange
from .kept import Kept
from .listing import Pages
from .presence import Gone
from .results import failure

logger = logging.getLogger(__name__)

T = TypeVar("T")

LISTS = 32
"""How many lists of tools are kept as they are sent; kernels without tools of their own share."""

_SCHEMAS = 4096


class Handlers:
    """The methods of MCP that there are."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._lists: Kept[Sequence[Tool], Pages] = Kept(LISTS)
        self._schemas: Kept[Tool, dict[str, Any] | None] = Kept(_SCHEMAS)

    async def prepare(self, caller: Caller) -> None:
        """Bring the list for `caller` up to date, before `list_tools`."""
        await self._asking.calls.catalogue.prepare(caller)

    def list_tools(self, caller: Caller, params: PaginatedRequestParams | None) -> ListToolsResult:
        """Answer `tools/list`; the same object until something changes for `caller`.

        A client that asks for it gets what else there is, too (`wire.mcp.META_LIST`). Raises
        `MCPError` for a bad cursor.
        """
        catalogue = self._asking.calls.catalogue
        meta = dict(params.meta or {}) if params else {}
        whole = meta.get(META_LIST) == LIST_ALL
        tools = catalogue.whole(caller) if whole else catalogue.listed(caller)
        pages = self._lists.of(tools, lambda: Pages(tools))
        return pages.page(params.cursor if params else None)

    async def call_tool(
        self,
        exchange: Exchange,
        params: CallParams,
        told: Callable[[ToolOutcome], T],
    ) -> T | CallToolResult | InputRequiredResult:
        """Answer `tools/call`; `told` puts what a tool came to into the dispatcher's words.

        Raises `MCPError`, and nothing else that it can help.
        """
        try:
            came = await call_tool(self._asking, exchange, params)
            return told(came) if isinstance(came, ToolOutcome) else came
        except UnknownTool:
            raise MCPError(code=INVALID_PARAMS, message="Unknown tool") from None
        except Gone:
            raise MCPError(code=REQUEST_CANCELLED, message="The client has gone") from None
        except MCPError:
            raise
        except Exception as error:
            # The type and the place say enough; a message might hold what upstream sent.
            logger.error("a tool call failed: %s", describe(error))
            return failure(ValetError("internal"))

    def schema(self, caller: Caller, name: str) -> dict[str, Any] | None:
        """Return the schema of a tool's arguments if it declares `Mcp-Param-*` headers."""
        tool = self._asking.calls.find(caller, name)
        return self._schemas.of(tool, lambda: _declaring(tool)) if tool is not None else None


def _declaring(tool: Tool) -> dict[str, Any] | None:
    schema = dict(tool.input_schema)
    return schema if X_MCP_HEADER_KEY in json.dumps(schema) else None
