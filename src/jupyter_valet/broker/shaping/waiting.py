"""How long an API asks to wait before it is called again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_USUAL = 60.0
_MOST = 86_400.0


def wait_seconds(status: int, headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait; None for an answer that does not ask for it.

    RFC 9110 §10.2.3 (`Retry-After`, seconds or a date) for 429 and 503; GitHub says 403 with it, or
    with none of its rate left until `x-ratelimit-reset`.
    """
    spent = headers.get("x-ratelimit-remaining") == "0"
    named = "retry-after" in headers
    asked = {429: True, 503: named, 403: named or spent}
    if not asked.get(status, False):
        return None
    if named:
        seconds = _retry_after(headers["retry-after"])
    elif spent:
        seconds = _until(headers.get("x-ratelimit-reset", ""))
    else:
        seconds = None
    return min(max(seconds if seconds is not None else _USUAL, 0.0), _MOST)


def _retry_after(value: str) -> float | None:
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None


def _until(value: str) -> float | None:
    """Return the seconds until a time that is given in seconds since 1970."""
    value = value.strip()
    if not (value.isascii() and value.isdigit() and len(value) < 12):
        return None
    return float(value) - time.time()
