"""The body of an answer as data."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from ..egress import Response

_TEXTUAL = ("text/", "application/json", "application/xml", "application/x-ndjson")
_TEXTUAL_SUFFIXES = ("+json", "+xml")


def body(response: Response) -> Any:
    """Return the body as JSON when it is that, as text when it is textual, else what it is."""
    if not response.body:
        return None
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith(_TEXTUAL) and not media_type.endswith(_TEXTUAL_SUFFIXES):
        return {"content_type": media_type, "bytes": len(response.body)}
    if "json" not in media_type or "ndjson" in media_type:
        return response.body.decode("utf-8", "replace")
    try:
        return msgspec.json.decode(response.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _leniently(response.body.decode("utf-8", "replace"))


def _leniently(text: str) -> Any:
    """Read what is not quite JSON (NaN, half a character, a byte order mark) as far as it goes."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
