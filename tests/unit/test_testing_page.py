"""docs/testing.md says which test shows what; here it is held to that."""

from __future__ import annotations

import re
from pathlib import Path

from named import TESTS, every_test, named

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_each_test_that_the_page_names_is_there() -> None:
    page = PAGE.read_text("utf-8")
    assert [name for name in named(page) if name not in every_test()] == []
    files = {path.name for path in TESTS.rglob("*.py")}
    assert [name for name in re.findall(r"`(test_\w+\.py)`", page) if name not in files] == []
