"""`make conformance` itself: what it counts as passed, and that nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import official
import pytest
import rows
from official import Score
from outcomes import Outcomes

REPORT = """<testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_good[1]"/>
<testcase classname="tests.unit.test_a" name="test_good[2]"/>
<testcase classname="tests.unit.test_a" name="test_half[1]"/>
<testcase classname="tests.unit.test_a" name="test_half[2]"><failure message="no&#10;x"/></testcase>
<testcase classname="tests.unit.test_a" name="test_left_out"><skipped message="no npm"/></testcase>
<testcase classname="tests.unit.test_a" name="test_never_set_up"><error message="bad"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    """A revision that requires two scenarios of servers, and knows a third."""
    wanted = {
        "server": ["tools-list", "auth/deep"],
        "client": ["initialize"],
        "not_scored": [{"scenario": "tasks", "leg": "server"}],
    }
    monkeypatch.setattr(official, "requirements", lambda revision: wanted)


def results(folder: Path, **found: list[str]) -> Path:
    """Write results as the suite writes them: a folder for each scenario, with its checks."""
    for name, outcomes in found.items():
        place = folder / f"server-{name}-2026-11-22T03-38-58-851Z"
        place.mkdir(parents=True)
        checks: list[Any] = [{"id": f"c{n}", "status": one} for n, one in enumerate(outcomes)]
        (place / "checks.json").write_text(json.dumps(checks))
    return folder


def score(folder: Path) -> Score:
    return official._score("server", "2026-07-28", folder)


def test_a_side_is_good_when_every_required_scenario_has_passed(tmp_path: Path) -> None:
    found = results(tmp_path, **{"tools-list": ["SUCCESS", "INFO"], "auth/deep": ["SUCCESS"]})
    counted = score(found)
    assert counted.good
    assert counted.passed == ["tools-list", "auth/deep"]
    assert official.wrong(counted, "server", "2026-07-28") == []
    assert "2 of 2 required scenarios pass, 2 of 2 checks" in official.words(
        counted, "server", "2026-07-28"
    )


@pytest.mark.parametrize("outcomes", [["SUCCESS", "FAILURE"], ["INFO"], ["SKIPPED"], []])
def test_a_scenario_that_fails_or_checks_nothing_is_not_passed(
    tmp_path: Path, outcomes: list[str]
) -> None:
    counted = score(results(tmp_path, **{"tools-list": outcomes, "auth/deep": ["SUCCESS"]}))
    assert not counted.good
    assert list(counted.failed) == ["tools-list"]
    (line,) = official.wrong(counted, "server", "2026-07-28")
    assert line.startswith("2026-07-28, the broker's listener: tools-list: ")


def test_a_scenario_that_did_not_run_is_not_passed(tmp_path: Path) -> None:
    counted = score(results(tmp_path, **{"tools-list": ["SUCCESS"]}))
    assert (counted.good, list(counted.failed)) == (False, ["auth/deep"])


def test_a_suite_that_ends_badly_is_not_good_whatever_it_wrote(tmp_path: Path) -> None:
    """Its status is bad when something passes that is expected to fail, too."""
    counted = score(results(tmp_path, **{"tools-list": ["SUCCESS"], "auth/deep": ["SUCCESS"]}))
    counted.status, counted.said = 1, "stale entries: tasks"
    assert not counted.good
    (line,) = official.wrong(counted, "server", "2026-07-28")
    assert line.endswith("the suite ended with status 1; it says: stale entries: tasks")
    assert not counted.to_json()["good"]


def test_what_a_revision_does_not_require_is_reported_and_decides_nothing(tmp_path: Path) -> None:
    found = {"tools-list": ["SUCCESS"], "auth/deep": ["SUCCESS"], "tasks": ["FAILURE"]}
    counted = score(results(tmp_path, **found))
    assert counted.good
    assert counted.not_scored == {"tasks": "failed"}


def test_a_test_has_passed_when_it_ran_and_never_failed(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"
    report.write_text(REPORT)
    found = Outcomes.read(report)
    names = ("good", "half", "left_out", "never_set_up", "unknown")
    passed = [name for name in names if found.passed(f"test_a.py::test_{name}")]
    assert passed == ["good"]
    assert "test_a.py::test_half: test_half[2]: no" in found.failed()
    assert found.of_files({"test_a.py"})["passed"] == 3
    assert not Outcomes.read(tmp_path / "none.xml").passed("test_a.py::test_good")


def test_the_levels_of_all_rows_are_counted_right() -> None:
    counts = [(part, sum(row.startswith(part) for row in rows.LEVELS)) for part in rows._LETTERS]
    assert counts == [
        ("ES", 33), ("EC", 22), ("MS", 10), ("MC", 7), ("PS", 6), ("RS", 13), ("CL", 20),
        ("AS", 7), ("BP", 23),
    ]  # fmt: skip
