"""Text from elsewhere, made safe to show: one line, no control characters, a length limit."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode categories that hide, reorder or break text: controls (ANSI escapes start with one),
bidirectional overrides, surrogates, private use, line and paragraph separators."""


def one_line(text: object, limit: int = 300) -> str:
    """Return `text` on one line, hidden characters replaced, cut to `limit` characters."""
    raw = str(text)
    shown = "".join(_visible(c) for c in raw[: limit + 1])
    return shown if len(raw) <= limit else f"{shown[:limit]}\N{HORIZONTAL ELLIPSIS}"


def _visible(character: str) -> str:
    if character in "\t\n\r":
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _HIDDEN else character


def unlinked(text: str) -> str:
    """Return `text` so that no front end turns a URL in it into a link (EC-17)."""
    return text.replace("://", "[:]//")
