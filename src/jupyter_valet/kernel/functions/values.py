"""What a function returns, as JSON and content blocks. Nothing is imported to find out."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from typing import Any

from ...wire.functions import MAX_BODY

_MOST_ROWS = 1000
_DEEPEST = 32
_LARGEST_PICTURE = MAX_BODY // 2


class NotJson(TypeError):
    """A result that has no form in JSON."""


def answer(value: Any) -> tuple[Any, list[dict[str, Any]]]:
    """Return `value` as JSON, and as content blocks when it is a picture.

    Raises `NotJson`, naming the type.
    """
    if (picture := _picture(value)) is not None:
        block = {"type": "image", "mimeType": "image/png", "data": picture}
        return None, [block]
    found = _json(value, 0)
    if len(json.dumps(found)) > MAX_BODY - 10_000:
        raise NotJson("a result of more than 4 MB")
    return found, []


def _json(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise NotJson("a result that is nested too deeply")
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, enum.Enum):
        return _json(value.value, depth + 1)
    if isinstance(value, Mapping):
        return {str(name): _json(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json(item, depth + 1) for item in value]
    return _json(_unwrapped(value), depth + 1)


def _unwrapped(value: Any) -> Any:
    """Return the plainer value that the usual libraries offer of theirs."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if callable(dump := getattr(value, "model_dump", None)):  # pydantic
        return dump(mode="json")
    if callable(to_dict := getattr(value, "to_dict", None)):  # pandas
        return _table(value, to_dict)
    for method in ("isoformat", "tolist", "item"):  # dates, NumPy
        if callable(convert := getattr(value, method, None)):
            return convert()
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if type(value).__name__ in ("Decimal", "UUID") or isinstance(value, _paths()):
        return str(value)
    raise NotJson(f"a value of type {type(value).__name__}")


def _table(value: Any, to_dict: Any) -> Any:
    """A DataFrame's rows as records, cut where a reader would have stopped long ago."""
    head = getattr(value, "head", None)
    if not hasattr(value, "columns") or not callable(head):
        return to_dict()
    rows = head(_MOST_ROWS).to_dict("records")
    return {"rows": rows, "total": len(value)} if len(value) > _MOST_ROWS else rows


def _paths() -> type:
    from pathlib import PurePath

    return PurePath


def _picture(value: Any) -> str | None:
    """Return a PNG in base64 of what can draw itself (PIL, matplotlib)."""
    if callable(draw := getattr(value, "_repr_png_", None)):
        png = draw()
    elif callable(save := getattr(value, "savefig", None)):
        import io

        drawn = io.BytesIO()
        save(drawn, format="png")
        png = drawn.getvalue()
    else:
        return None
    if not isinstance(png, bytes) or len(png) > _LARGEST_PICTURE:
        return None
    return base64.b64encode(png).decode()
