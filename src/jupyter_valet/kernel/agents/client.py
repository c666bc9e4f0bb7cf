"""A client of MCP for libraries that want one, made of the kernel's own plain HTTP requests.

Each call is a request of its own, so there is nothing to open in one cell and to close in another
(an open `mcp.Client` breaks ipykernel there), and a sign-in shows its card as any call does.
"""

from __future__ import annotations

from typing import Any

from ...wire.errors import ValetError
from ..clients.imports import imported
from ..session import Session
from ..shells import in_thread
from .calls import reply, words


class Client:
    """`list_tools` and `call_tool` of an `mcp.ClientSession`, with the types of the `mcp` here."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list_tools(self, cursor: str | None = None, **_: Any) -> Any:
        """Return an `mcp.types.ListToolsResult` with all tools that agents are shown."""
        tools = await in_thread(lambda _stop: self._session.tools(whole=False))
        return imported("mcp.types", "mcp").ListToolsResult.model_validate({"tools": tools})

    async def call_tool(
        self, name: str, arguments: dict[str, Any] | None = None, *_: Any, **__: Any
    ) -> Any:
        """Return an `mcp.types.CallToolResult`; what went wrong is in it, in words for a model."""
        try:
            found = await reply(self._session, name, arguments)
        except ValetError as error:
            found = {"content": [{"type": "text", "text": words(error)}], "isError": True}
        return imported("mcp.types", "mcp").CallToolResult.model_validate(found)

    def __repr__(self) -> str:
        return "tools.mcp.anthropic(): a client of MCP with nothing to open or close"
