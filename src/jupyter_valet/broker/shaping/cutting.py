"""An answer that is too long for a model, made to fit: fewer items first, then shorter texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_SHORTER = (4_000, 1_000, 250)


def size(data: Any) -> int:
    """Return the characters of `data` as JSON."""
    return len(json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str))


def cut(data: Any, limit: int, records: str = "") -> tuple[Any, str]:
    """Return `data` in at most about `limit` characters, and words about what is missing.

    `records` is the member that holds the list, where it is known.
    """
    if isinstance(data, str):
        return _text(data, limit)
    if size(data) <= limit:
        return data, ""
    notes = []
    if isinstance(data, list):
        data, note = _items(data, limit)
        notes.append(note)
    elif isinstance(data, Mapping):
        name = records if isinstance(data.get(records), list) else _longest_list(data)
        if name:
            room = limit - size({k: v for k, v in data.items() if k != name})
            items, note = _items(data[name], max(room, limit // 4))
            data = {**data, name: items}
            notes.append(note)
    for longest in _SHORTER:
        if size(data) <= limit:
            break
        data = _shortened(data, longest)
        notes = [*notes[:1], f"texts cut to {longest:,} characters"]
    if size(data) > limit:
        whole = json.dumps(data, ensure_ascii=False, default=str)
        kept = limit
        while size({"beginning": whole[:kept]}) > limit:  # quotes in it are escaped
            kept = kept * 3 // 4
        note = f"the first {kept:,} of {len(whole):,} characters"
        return {"beginning": whole[:kept]}, note
    return data, ", ".join(note for note in notes if note)


def _text(text: str, limit: int) -> tuple[str, str]:
    if len(text) <= limit:
        return text, ""
    return text[:limit], f"the first {limit:,} of {len(text):,} characters"


def _items(items: list[Any], limit: int) -> tuple[list[Any], str]:
    """Return as many items as there is room for, at least one."""
    room, kept = limit, 0
    for item in items:
        room -= size(item) + 1
        if room < 0 and kept:
            break
        kept += 1
    return items[:kept], f"the first {kept} of {len(items)} items" if kept < len(items) else ""


def _longest_list(data: Mapping[str, Any]) -> str:
    lists = [(size(value), name) for name, value in data.items() if isinstance(value, list)]
    return max(lists)[1] if lists else ""


def _shortened(data: Any, longest: int) -> Any:
    if isinstance(data, str):
        return data if len(data) <= longest else f"{data[:longest]}…"
    if isinstance(data, Mapping):
        return {name: _shortened(value, longest) for name, value in data.items()}
    return [_shortened(item, longest) for item in data] if isinstance(data, list) else data
