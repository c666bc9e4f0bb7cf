"""JMESPath expressions that cannot take longer or grow larger than they may.

The language is total, but an expression of a hundred characters can ask for terabytes. So what each
step yields is counted, and functions that make long text of little are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

LONGEST = 1_000
"""Characters of an expression."""

MOST_STEPS = 200_000
"""Steps and items of one evaluation; an answer of a megabyte needs some thousands."""

MOST_PARTS = 1_000_000
"""Lists, objects and values of one result, each counted wherever it is: `[@,@]|[@,@]|…` doubles
without making anything, until somebody compares it or writes it down."""

_LEFT_OUT = frozenset({"join", "map", "merge", "to_string"})


class UnusableProjection(ValueError):
    """The expression is none, or asks for too much. The text is ours and quotes nothing."""


class Projection:
    """One expression, compiled when it is made. Raises `UnusableProjection`."""

    def __init__(self, expression: str) -> None:
        if len(expression) > LONGEST:
            raise UnusableProjection(f"is longer than {LONGEST} characters")
        try:
            self._tree: Any = jmespath.compile(expression).parsed
        except (JMESPathError, RecursionError, ValueError):
            raise UnusableProjection("is not a JMESPath expression") from None
        for name in self._functions:
            if name in _LEFT_OUT:
                raise UnusableProjection(f"uses {name}, which is not available")

    @cached_property
    def _functions(self) -> set[str]:
        return {
            str(node["value"])
            for node in _nodes(self._tree)
            if node["type"] == "function_expression"
        }

    def __call__(self, data: Any) -> Any:
        """Return what the expression makes of `data`. Raises `UnusableProjection`."""
        try:
            return _Counting().visit(self._tree, data)
        except (JMESPathError, RecursionError, TypeError, AttributeError):
            raise UnusableProjection("does not fit the answer") from None


class _Counting(TreeInterpreter):
    """The library's interpreter, with an end."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MOST_STEPS
        self._parts: dict[int, tuple[Any, int]] = {}

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        value = super().visit(node, *args, **kwargs)
        self._left -= 1 + (len(value) if isinstance(value, list | dict) else 0)
        if self._left < 0 or self._count(value) > MOST_PARTS:
            raise UnusableProjection("asks for too much")
        return value

    def _count(self, value: Any) -> int:
        """Count the parts of `value`; what was counted once is remembered, and kept for its id."""
        if not isinstance(value, list | dict):
            return 1
        known = self._parts.get(id(value))
        if known is None:
            inside = value.values() if isinstance(value, dict) else value
            known = self._parts[id(value)] = (value, 1 + sum(map(self._count, inside)))
        return known[1]


def _nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree.get("children", ()):
        if isinstance(child, dict):
            yield from _nodes(child)
