"""Columns for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows under a heading, each column as wide as its widest cell."""
    cells = [tuple(map(printable, row)) for row in (heading, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def printable(text: str) -> str:
    """Return `text` with `?` for what could steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
