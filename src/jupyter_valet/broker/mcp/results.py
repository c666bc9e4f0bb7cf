"""Tools and outcomes in MCP's terms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from mcp_types import CallToolResult, ContentBlock, TextContent, ToolAnnotations
from mcp_types import Tool as McpTool
from pydantic import TypeAdapter, ValidationError

from ...wire.errors import ValetError
from ...wire.mcp import META_ERROR, META_PROVIDER, META_TOOL, META_TOOLSET
from ..catalogue import Tool, ToolOutcome


def listed(tools: Iterable[Tool]) -> list[McpTool]:
    """Return the tools as `tools/list` shows them."""
    return [
        McpTool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=dict(tool.input_schema),
            annotations=_annotations(tool),
            _meta={
                META_TOOLSET: tool.toolset,
                META_TOOL: tool.short_name,
                META_PROVIDER: tool.provider,
            },
        )
        for tool in tools
    ]


def _annotations(tool: Tool) -> ToolAnnotations:
    return ToolAnnotations(
        read_only_hint=tool.access == "read",
        destructive_hint=tool.destructive,
        idempotent_hint=tool.idempotent,
        open_world_hint=True,
    )


def success(outcome: ToolOutcome, *, wrap: bool) -> CallToolResult:
    """Return the result of a call that reached upstream.

    Data goes both ways, as text and structured: frameworks differ in which they read. `wrap` puts
    what is not an object into `{"result": …}`, which 2025-11-25 demands of structured content.
    """
    error = outcome.error
    content = _blocks(outcome.content)
    if not content and _is_spoken(outcome) and (outcome.data is not None or error is None):
        content.append(TextContent(text=_text(outcome.data)))
    if error is not None:
        content.insert(0, TextContent(text=words(error)))
    data_is_all = not outcome.content or outcome.data is not None
    return CallToolResult(
        content=content,
        structured_content=_structured(outcome.data, wrap) if data_is_all else None,
        is_error=error is not None,
        _meta=_meta(outcome),
    )


def on_the_wire(outcome: ToolOutcome, signature: Mapping[str, Any]) -> bytes | None:
    """Return in JSON what `success` comes to on 2026-07-28, with `signature` in its `_meta`.

    None for what only the models can put into words: an error, content of other servers, data that
    is not quite JSON. Data is written once, as what it is, and then as text.
    """
    if outcome.error is not None or outcome.content:
        return None
    data = outcome.data
    try:
        written = _JSON.encode(data)
        result: dict[str, Any] = {"content": [], "isError": False}
        if _is_spoken(outcome):
            text = data if isinstance(data, str) else written.decode()
            result["content"] = [{"type": "text", "text": text}]
        if written != b"null":  # so is an infinite number, which is no structured content
            result["structuredContent"] = msgspec.Raw(written)
        result["resultType"] = "complete"
        result["_meta"] = {**outcome.meta, **signature}
        return _JSON.encode(result)
    except _NOT_JSON:
        return None


def _is_spoken(outcome: ToolOutcome) -> bool:
    return outcome.spoken or not isinstance(outcome.data, dict | list)


def _meta(outcome: ToolOutcome) -> dict[str, Any] | None:
    errors = {META_ERROR: outcome.error.to_json()} if outcome.error is not None else {}
    return {**outcome.meta, **errors} or None


_BLOCKS: TypeAdapter[ContentBlock] = TypeAdapter(ContentBlock)


def _blocks(content: Iterable[Mapping[str, Any]]) -> list[ContentBlock]:
    """Return what a tool gave as content; a block that is none of MCP's becomes words about it."""
    found: list[ContentBlock] = []
    for block in content:
        try:
            found.append(_BLOCKS.validate_python(dict(block)))
        except ValidationError:
            found.append(TextContent(text="(a content block that MCP does not know)"))
    return found


def failure(error: ValetError) -> CallToolResult:
    """Return an error result: fixed words for a model, and the error itself for our own client."""
    return CallToolResult(
        content=[TextContent(text=words(error))],
        is_error=True,
        _meta={META_ERROR: error.to_json()},
    )


def words(error: ValetError) -> str:
    """Return the error in one line, its stable name first."""
    return f"{error.code}: {error.message} {error.next}"


_JSON = msgspec.json.Encoder()
_NOT_JSON = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
"""Half a character, or a number of more than 64 bits: not for the quick encoder."""


def _text(data: Any) -> str:
    if isinstance(data, str):
        return data
    try:
        return _JSON.encode(data).decode()
    except _NOT_JSON:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _structured(data: Any, wrap: bool) -> Any:
    if isinstance(data, dict):
        return data
    return {"result": data} if wrap else data
