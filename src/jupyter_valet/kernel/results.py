"""What a tool returns: a list or a dict that shows itself as a table and knows `.df`."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, SupportsIndex

from ..wire import mcp as names
from ..wire.errors import ValetError
from . import mcp
from .tables import record_table, rows_table


class Rows(list[Any]):
    """A list from a tool: a table in the notebook, a DataFrame with `.df`.

    `next` has the arguments that change for the next page: `tool(..., **rows.next)`; empty at the
    end.
    """

    next: Mapping[str, Any] = MappingProxyType({})

    @property
    def df(self) -> Any:
        """The rows as a pandas DataFrame. Raises `ValetError` without pandas or without rows."""
        return _frame(self)

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        found = super().__getitem__(index)
        return Rows(found) if isinstance(index, slice) else shown(found)

    def __repr__(self) -> str:
        return _short.repr(list(self))

    def _repr_html_(self) -> str | None:
        return rows_table(self) if _records(self) else None


class Record(dict[str, Any]):
    """A dict from a tool: a table of two columns, and `.df` for the one list of records in it.

    `next` is that of `Rows`.
    """

    next: Mapping[str, Any] = MappingProxyType({})

    @property
    def df(self) -> Any:
        """The record's rows as a pandas DataFrame.

        The rows are the one list of records in it; without such a list, the record is the only
        row. Raises `ValetError` without pandas, or when there are several lists to choose from.
        """
        lists = [value for value in self.values() if isinstance(value, list) and _records(value)]
        if len(lists) > 1:
            raise ValetError("not_flat", what="it holds more than one list")
        return _frame(lists[0] if lists else [dict(self)])

    def __getitem__(self, name: str) -> Any:
        return shown(super().__getitem__(name))

    def __repr__(self) -> str:
        return _short.repr(dict(self))

    def _repr_html_(self) -> str:
        return record_table(self)


def result(reply: Mapping[str, Any]) -> Any:
    """Return what a `tools/call` result means in Python. Raises the `ValetError` in it, if any.

    What an API said along with an error is in the error's `result`, never in its text.
    """
    if "structuredContent" in reply:
        data = shown(reply["structuredContent"])
    else:
        data = shown(_unstructured(reply))
    if (error := mcp.tool_error(reply)) is not None:
        error.result = data
        raise error
    if isinstance(data, Rows | Record):
        data.next = _next(reply)
    return data


def _next(reply: Mapping[str, Any]) -> dict[str, Any]:
    meta = reply.get("_meta")
    found = meta.get(names.META_NEXT) if isinstance(meta, dict) else None
    return found if isinstance(found, dict) else {}


def shown(value: Any) -> Any:
    """Return `value` as `Rows` or `Record` where it is a list or a dict."""
    if isinstance(value, Rows | Record):
        return value
    if isinstance(value, dict):
        return Record(value)
    return Rows(value) if isinstance(value, list) else value


def _unstructured(reply: Mapping[str, Any]) -> Any:
    """Return the content blocks: JSON or text when that is all there is, else the blocks."""
    blocks = reply.get("content")
    if not isinstance(blocks, list) or not blocks:
        return None
    if any(not isinstance(b, dict) or b.get("type") != "text" for b in blocks):
        return blocks
    text = mcp.text_of(reply)
    if text[:1] in "[{":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _records(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(row, dict) for row in value)


def _frame(rows: list[Any]) -> Any:
    if rows and not _records(rows):
        raise ValetError("not_flat", what="its items are not records")
    try:
        import pandas  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise ValetError("no_pandas") from None
    return pandas.DataFrame([dict(row) for row in rows])


_short = reprlib.Repr()
_short.maxlevel = 4
_short.maxlist = _short.maxdict = 20
_short.maxstring = _short.maxother = 200
