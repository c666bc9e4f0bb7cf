"""What programs need and models do not: left out of an answer, and counted.

docs/tools.md lists the rules; a toolset can switch them off.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

DEEPEST = 60
"""Levels of an answer that are looked at; deeper ones are left out."""

_NAMES = frozenset(
    {
        "_links",
        "node_id",
        "gravatar_id",
        "etag",
        "selfLink",
        "self_link",
        "performed_via_github_app",
    }
)
_KEPT = frozenset({"html_url", "web_url", "download_url", "permalink_url"})
"""Links that a person may be given."""

_LONG = 400
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]+={0,2}\s*")


class Trimming:
    """Trims one answer; `left_out` says in words what is missing. `host` is the API's own."""

    def __init__(self, host: str) -> None:
        self._own = f"https://{host}/"
        self._counted: Counter[str] = Counter()

    @property
    def left_out(self) -> str:
        """What was left out, in words; empty for nothing."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self._counted.items()))

    def __call__(self, data: Any, depth: int = 0) -> Any:
        """Return `data` without what is of no use."""
        if isinstance(data, Mapping):
            return self._object(data, depth)
        if isinstance(data, list):
            return [self(item, depth + 1) for item in data]
        if isinstance(data, str) and len(data) > _LONG and _is_base64(data):
            self._counted["base64"] += 1
            return f"(base64, {len(data):,} characters)"
        return data

    def _object(self, data: Mapping[str, Any], depth: int) -> Any:
        if depth > DEEPEST:
            self._counted["too deep"] += 1
            return "(too deep)"
        kept = {}
        for name, value in data.items():
            if value is None:
                self._counted["null"] += 1
            elif self._is_link(name, value):
                self._counted["links"] += 1
            else:
                kept[name] = self(value, depth + 1)
        return kept

    def _is_link(self, name: str, value: Any) -> bool:
        if name in _NAMES:
            return True
        if name in _KEPT or not isinstance(value, str):
            return False
        return (name.endswith("_url") and "/" in value) or value.startswith(self._own)


def _is_base64(text: str) -> bool:
    """Tell base64 from prose: that has words, and so blanks."""
    return _BASE64.fullmatch(text) is not None and max(map(len, text.split())) >= 40
