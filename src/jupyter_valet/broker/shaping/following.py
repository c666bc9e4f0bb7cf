"""How there is more: the arguments of the next call, from what the API said about its next page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..toolsets import Operation, Parameter

_LINK = re.compile(r"<([^<>]{1,4000})>((?:\s*;\s*[\w*-]+=(?:\"[^\"]*\"|[^\s;,\"]+))*)")
_NEXT = re.compile(r";\s*rel=\"?(?:[^\"]*\s)?next(?=[\s\";,]|$)", re.IGNORECASE)
_SIZES = (
    "per_page",
    "page_size",
    "pageSize",
    "limit",
    "size",
    "maxResults",
    "max_results",
    "count",
)
_LONGEST = 2_000


def following(
    operation: Operation, arguments: Mapping[str, Any], headers: Mapping[str, str], data: Any
) -> dict[str, Any]:
    """Return the arguments that change for the next page; none when there is no next page."""
    linked = _linked(operation, headers.get("link", ""))
    changed = {name: value for name, value in linked.items() if arguments.get(name) != value}
    if changed:
        return changed
    paging = operation.paging
    if paging is None:
        return {}
    if paging.kind == "token":
        token = _member(data, paging.member)
        usable = isinstance(token, str | int) and token and len(str(token)) <= _LONGEST
        return {paging.argument: token} if usable else {}
    return _counted(operation, arguments, data)


def _linked(operation: Operation, header: str) -> dict[str, Any]:
    """Return the query of RFC 8288's `next` as arguments; what is no argument is left out."""
    for match in _LINK.finditer(header[:8_000]):
        if _NEXT.search(match[2]):
            known = {p.sent_as: p for p in operation.parameters if p.where == "query"}
            query = parse_qsl(urlsplit(match[1]).query)
            return {
                known[k].name: _typed(known[k], v)
                for k, v in query
                if k in known and _one(known[k])
            }
    return {}


def _one(parameter: Parameter) -> bool:
    """Tell whether an argument is a single value, which a query has as it is."""
    return _kind(parameter) in ("string", "integer", "number", "")


def _kind(parameter: Parameter) -> str:
    schema = parameter.schema
    kind = schema.get("type", "") if isinstance(schema, Mapping) else ""
    return kind if isinstance(kind, str) else ""


def _typed(parameter: Parameter, text: str) -> str | int:
    return (
        int(text) if _kind(parameter) == "integer" and text.isascii() and text.isdigit() else text
    )


def _member(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _counted(operation: Operation, arguments: Mapping[str, Any], data: Any) -> dict[str, Any]:
    """Return the next number where a page came full: whether there is more, nobody said."""
    paging = operation.paging
    assert paging is not None
    records = data.get(operation.returns.records) if isinstance(data, Mapping) else data
    size = _asked_size(operation, arguments)
    if paging.kind == "link" or not isinstance(records, list) or not size or len(records) < size:
        return {}
    first = 1 if paging.kind == "page" else 0
    current = arguments.get(paging.argument, first)
    if not isinstance(current, int):
        return {}
    return {paging.argument: current + (1 if paging.kind == "page" else len(records))}


def _asked_size(operation: Operation, arguments: Mapping[str, Any]) -> int:
    for parameter in operation.parameters:
        if parameter.sent_as in _SIZES and isinstance(parameter.schema, Mapping):
            given = arguments.get(parameter.name, parameter.schema.get("default"))
            return given if isinstance(given, int) else 0
    return 0
