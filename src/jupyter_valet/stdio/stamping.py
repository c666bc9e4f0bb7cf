"""What a message needs besides itself when it goes over HTTP: the headers that repeat it.

Sources: specification 2025-11-25 and 2026-07-28, `basic/transports`: `MCP-Protocol-Version` on
both; `Mcp-Method`, `Mcp-Name` and `Mcp-Param-*` on 2026-07-28 (MC-06). No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    encode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    x_mcp_header_map,
)
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCRequest, JSONRPCResponse

_VERSION = "io.modelcontextprotocol/protocolVersion"
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Stamps:
    """Learns from what passes: which revision was agreed on, which arguments a tool wants shown."""

    def __init__(self) -> None:
        self._agreed = ""
        self._asked: dict[str | int, str] = {}
        self._params: dict[str, Mapping[tuple[str, ...], str]] = {}

    def of(self, message: JSONRPCMessage) -> dict[str, str]:
        """Return the headers of a message on its way to the server."""
        if isinstance(message, JSONRPCRequest):
            self._asked[message.id] = message.method
        method = getattr(message, "method", "")
        params: Mapping[str, Any] = getattr(message, "params", None) or {}
        version = (params.get("_meta") or {}).get(_VERSION)
        if not isinstance(version, str):
            return {MCP_PROTOCOL_VERSION_HEADER: self._agreed} if self._agreed else {}
        headers = {MCP_PROTOCOL_VERSION_HEADER: version, MCP_METHOD_HEADER: method}
        name = params.get(_NAMED_BY.get(method, ""))
        if isinstance(name, str):
            headers[MCP_NAME_HEADER] = encode_header_value(name)
            shown = self._params.get(name, {}) if method == "tools/call" else {}
            headers |= mcp_param_headers(shown, params.get("arguments") or {})
        return headers

    @property
    def unanswered(self) -> bool:
        """Whether the client waits for an answer."""
        return bool(self._asked)

    def learn(self, message: JSONRPCMessage) -> None:
        """Take note of a message on its way to the client."""
        if isinstance(message, JSONRPCError) and message.id is not None:
            self._asked.pop(message.id, "")
        if not isinstance(message, JSONRPCResponse):
            return
        match self._asked.pop(message.id, ""):
            case "initialize":
                self._agreed = str(message.result.get("protocolVersion") or "")
            case "tools/list":
                for tool in message.result.get("tools") or ():
                    self._learn_tool(tool)

    def _learn_tool(self, tool: Mapping[str, Any]) -> None:
        schema = tool.get("inputSchema")
        if find_invalid_x_mcp_header(schema) is None:
            self._params[str(tool.get("name"))] = x_mcp_header_map(schema)
