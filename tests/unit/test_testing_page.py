"""docs/testing.md says which test shows what; here it is held to that."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TESTS = REPOSITORY / "tests"
PAGE = REPOSITORY / "docs" / "testing.md"

ROWS = {"ES": 33, "EC": 22, "MS": 10, "MC": 7, "PS": 6, "CL": 20}
"""The checklist: how many rows each part has."""


@cache
def page() -> str:
    return PAGE.read_text("utf-8")


@cache
def every_test() -> dict[str, str]:
    """Return the source of every test, by `file.py::name`, with the comment above it."""
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


def named(text: str) -> list[str]:
    return re.findall(r"`(test_\w+\.py::test_\w+)`", text)


def row(number: str) -> str:
    """Return the line of the checklist about a row."""
    [line] = [line for line in page().splitlines() if line.startswith(f"| {number} |")]
    return line


def test_each_test_that_the_page_names_is_there() -> None:
    missing = [name for name in named(page()) if name not in every_test()]
    assert missing == []
    files = {path.name for path in TESTS.rglob("*.py")}
    assert [name for name in re.findall(r"`(test_\w+\.py)`", page()) if name not in files] == []


@pytest.mark.parametrize(
    "number", [f"{part}-{n:02}" for part, count in ROWS.items() for n in range(1, count + 1)]
)
def test_every_row_of_the_checklist_has_a_test_that_names_it_or_a_reason(number: str) -> None:
    line = row(number)
    if "| does not apply |" in line:
        assert len(line.split("|")[3].split()) >= 4, "say why"
        return
    assert named(line), "name a test"
    assert [name for name in named(line) if number not in every_test()[name]] == []
