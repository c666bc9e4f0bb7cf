"""From an upstream's answer to what a call comes to: whole for a person's code, shaped for a model.

The order is fixed: the tool's own selection, then the caller's, or else trimming; then the cut; at
last what was left out and where it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ...wire.errors import ValetError
from ...wire.mcp import META_NEXT
from ..catalogue import ToolOutcome, Wish
from ..egress import Response
from ..toolsets import Tool
from .body import body
from .cutting import cut
from .following import following
from .projection import Projection, UnusableProjection
from .refusal import refusal
from .trimming import Trimming

TRIMMED, CUT, SELECTED, NEXT = "_trimmed", "_cut", "_selected", "next"
"""Members that are added to an answer."""

_HOW = "valet_call_tool gets what is missing with `fields`"


def outcome(
    tool: Tool, arguments: Mapping[str, Any], response: Response, title: str, wish: Wish
) -> ToolOutcome:
    """Return what an answer comes to. `title` is the provider's name in an error's text."""
    data = body(response)
    if _refused(tool, response, data):
        error = ValetError("upstream_error", provider=title, status=response.status)
        return ToolOutcome(data if wish.whole else refusal(response.status, data), error)
    more = following(tool.operation, arguments, response.headers, data)
    meta = {META_NEXT: more} if more else {}
    if wish.whole:
        return ToolOutcome(data, meta=meta, spoken=False)
    if data is None:
        return ToolOutcome({"status": response.status}, meta=meta)
    return ToolOutcome(_shaped(tool, data, wish.fields, more), meta=meta)


def _refused(tool: Tool, response: Response, data: Any) -> bool:
    """Tell whether the call failed; "not modified" has not, and Slack says so within a 200."""
    if not response.ok:
        return response.status != 304
    verdict = tool.source.verdict
    return bool(verdict) and isinstance(data, dict) and data.get(verdict) is False


def _shaped(tool: Tool, data: Any, fields: str, more: Mapping[str, Any]) -> Any:
    shaping, operation = tool.source.shaping, tool.operation
    notes: dict[str, Any] = {}
    if operation.select:
        data = _selected(operation.select, data, notes)
    if fields:
        data = _selected(fields, data, notes)
    elif shaping.trim:
        trimming = Trimming(tool.source.origin_of(operation).host)
        data = trimming(data)
        if trimming.left_out:
            notes[TRIMMED] = f"{trimming.left_out} ({_HOW})"
    data, missing = cut(data, shaping.limit, operation.returns.records)
    if missing:
        notes[CUT] = f"{missing}; ask for fewer or for less ({_HOW})"
    if more:
        notes[NEXT] = dict(more)
    return _with(data, notes)


def _with(data: Any, notes: Mapping[str, Any]) -> Any:
    """Return `data` with the notes; no member of the API's own gives way to one of them."""
    if not notes:
        return data
    if not isinstance(data, dict):
        return {"result": data, **notes}
    return data | {name if name not in data else f"_valet_{name}": n for name, n in notes.items()}


def projected(expression: str, data: Any) -> Any:
    """Return what the expression chooses of `data`, with a note when that is nothing."""
    notes: dict[str, Any] = {}
    return _with(_selected(expression, data, notes), notes)


def _selected(expression: str, data: Any, notes: dict[str, Any]) -> Any:
    """Return what the expression makes of `data`; nothing, with a note, where it does not fit."""
    try:
        found = projection(expression)(data)
    except UnusableProjection as reason:
        found, why = None, str(reason)
    else:
        why = "found nothing"
    if found is None and data is not None:
        notes[SELECTED] = f"nothing: `{expression}` {why}"
    return found


@lru_cache(maxsize=2048)
def projection(expression: str) -> Projection:
    """Return the compiled expression. Raises `UnusableProjection`."""
    return Projection(expression)
