"""Results as HTML tables. What comes from upstream is hostile input: every cell is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .plain_text import one_line

MAX_ROWS = 50
MAX_COLUMNS = 20
MAX_CELL = 200
"""Characters shown of one value."""

_LEFT = "style='text-align:left'"


def rows_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a list of records as a table; what is left out is counted below it."""
    columns = _columns(rows[:MAX_ROWS])
    head = "".join(f"<th {_LEFT}>{_text(name)}</th>" for name in columns[:MAX_COLUMNS])
    body = "".join(_row(row, columns[:MAX_COLUMNS]) for row in rows[:MAX_ROWS])
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{_count(len(rows), 'row', MAX_ROWS)}, "
        f"{_count(len(columns), 'column', MAX_COLUMNS)}</p>"
    )


def record_table(record: Mapping[str, Any]) -> str:
    """Return one record as a table of names and values."""
    shown = list(record.items())[:MAX_ROWS]
    body = "".join(
        f"<tr><th {_LEFT}>{_text(k)}</th><td {_LEFT}>{_text(v)}</td></tr>" for k, v in shown
    )
    note = "" if len(shown) == len(record) else f"<p>{_count(len(record), 'field', MAX_ROWS)}</p>"
    return f"<table><tbody>{body}</tbody></table>{note}"


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _row(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    cells = "".join(f"<td {_LEFT}>{_text(row[c]) if c in row else ''}</td>" for c in columns)
    return f"<tr>{cells}</tr>"


def _text(value: Any) -> str:
    """Return a value as escaped text: words with commas, other nested data as short JSON."""
    if value is None:
        return ""
    if isinstance(value, list) and value and all(_is_word(item) for item in value):
        value = ", ".join(value)
    elif isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return escape(one_line(value, MAX_CELL))


def _is_word(item: Any) -> bool:
    """Tell whether commas can separate `item` from others without a doubt."""
    return isinstance(item, str) and "," not in item and item.strip() != ""


def _count(number: int, noun: str, limit: int) -> str:
    words = f"{number} {noun}{'' if number == 1 else 's'}"
    return f"first {limit} of {words}" if number > limit else words
