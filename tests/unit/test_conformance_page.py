"""docs/conformance.md has every row of the checklist; `make conformance` runs its tests."""

from __future__ import annotations

import pytest
import rows
from named import every_test

EVERY_ROW = pytest.mark.parametrize("number", rows.LEVELS)


def test_every_row_is_there_once_and_no_other() -> None:
    lines = rows.PAGE.read_text("utf-8").splitlines()
    listed = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert [number for number in listed if number in rows.LEVELS] == list(rows.LEVELS)
    assert rows.read().keys() == rows.LEVELS.keys()


@EVERY_ROW
def test_a_row_has_its_level_and_a_verdict(number: str) -> None:
    row = rows.read()[number]
    assert row.level == rows.LEVELS[number]
    assert row.verdict in rows.VERDICTS


@EVERY_ROW
def test_a_row_that_holds_has_tests_that_name_it_and_any_other_a_reason(number: str) -> None:
    row = rows.read()[number]
    if row.verdict != rows.HOLDS:
        assert len(row.shown.split()) >= 3, "say why"
        return
    assert row.tests, "name a test"
    assert [name for name in row.tests if name not in every_test()] == []
    assert [name for name in row.tests if number not in every_test()[name]] == []


@pytest.mark.parametrize("number", [n for n, level in rows.LEVELS.items() if "MUST" in level])
def test_what_the_specification_demands_holds(number: str) -> None:
    """No row that says MUST is open, or explained away."""
    assert rows.read()[number].verdict == rows.HOLDS
