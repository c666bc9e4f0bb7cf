"""The tests that there are, and those that a page of the documentation names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]

_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
_NAMED = re.compile(r"`(test_\w+\.py::test_\w+)`")


def named(text: str) -> list[str]:
    """Return the tests that a page names, as `file.py::test`."""
    return _NAMED.findall(text)


@cache
def places() -> dict[str, Path]:
    """Return the file of every test, by `file.py::test`; two folders may have one of that name."""
    return {
        f"{path.name}::{name}": path
        for path in TESTS.rglob("test_*.py")
        for name in _TEST.findall(path.read_text("utf-8"))
    }


@cache
def every_test() -> dict[str, str]:
    """Return the source of every test, by `file.py::test`, with the comment above it."""
    found = {}
    for path in TESTS.rglob("test_*.py"):
        lines = path.read_text("utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
                while first and lines[first - 1].startswith("#"):
                    first -= 1
                found[f"{path.name}::{node.name}"] = "\n".join(lines[first : node.end_lineno])
    return found
