"""What a tool of an upstream server answered, as an outcome of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from ...wire.errors import ValetError
from ..catalogue import ToolOutcome
from .schema import plain
from .settings import Server

_LONGEST_ERROR = 1_000


def outcome(server: Server, result: CallToolResult) -> ToolOutcome:
    """Return what `result` comes to. Its metadata stays behind: it is the server's word to us."""
    error = ValetError("upstream_tool_failed", provider=server.words) if result.is_error else None
    content = [_block(block) for block in result.content]
    texts = [block["text"] for block in content if block["type"] == "text"]
    data = result.structured_content
    if data is None and len(texts) == len(content):
        data = _data(texts)
    return ToolOutcome(data, error, tuple(content))


def refusal(server: Server, error: MCPError) -> ToolOutcome:
    """Return what an error of the protocol comes to; its text is data, as any tool's is."""
    words = ValetError("upstream_refused", provider=server.words, number=error.error.code)
    return ToolOutcome(plain(error.error.message, _LONGEST_ERROR), words)


def _data(texts: list[str]) -> Any:
    """Return one text as the JSON that it is, if it is an object or a list; else the texts."""
    if len(texts) == 1 and texts[0][:1] in ("{", "["):
        try:
            return json.loads(texts[0])
        except (ValueError, RecursionError):
            pass
    return "\n".join(texts)


def _block(block: ContentBlock) -> Mapping[str, Any]:
    """Return a block as plain data; what could be fetched is text, and nobody fetches it."""
    match block:
        case TextContent():
            return _text(block.text)
        case ImageContent() | AudioContent():
            return {"type": block.type, "data": block.data, "mimeType": block.mime_type}
        case ResourceLink():
            return _text(f"{block.name}: {block.uri}")
        case EmbeddedResource(resource=TextResourceContents() as resource):
            return _text(resource.text)
        case EmbeddedResource():
            kind = block.resource.mime_type or "data"
            return _text(f"({kind} at {block.resource.uri})")


def _text(text: str) -> Mapping[str, Any]:
    return {"type": "text", "text": text}
