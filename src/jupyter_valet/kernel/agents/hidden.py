"""Arguments that carry the kernel's capability, and do not show it when a cell ends with them.

The capability is this kernel's own, and worth nothing elsewhere; but what a cell shows is saved.
"""

from __future__ import annotations

from typing import Any


class Hidden(str):
    """The capability, or a header with it: a string like any other, but for its `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        scheme, space, _ = self.partition(" ")
        return f"'{scheme if space else ''}{space}<the capability of this kernel>'"


class Snippet(dict[str, Any]):
    """Arguments for a framework. Shown, they are the lines to type."""

    def __init__(self, lines: str, arguments: dict[str, Any]) -> None:
        super().__init__(arguments)
        self._lines = lines

    def __repr__(self) -> str:
        return self._lines

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self._lines)
