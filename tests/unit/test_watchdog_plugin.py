"""A run of tests ends, whatever a test does."""

from __future__ import annotations

from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"
HANGING = """
import threading
import time

import pytest

@pytest.fixture
def never_put_away():
    yield
    threading.Event().wait()

def test_hangs(never_put_away):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

def test_hangs_when_it_is_put_away(never_put_away):
    raise AssertionError

def test_is_well():
    pass

@pytest.mark.timeout(20)
def test_has_a_time_of_its_own():
    time.sleep(4)
"""


def test_a_test_that_nothing_ends_is_named_and_the_others_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest-timeout alone waits for ever for the first two."""
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    monkeypatch.setenv("JUPYTER_VALET_TEST_GRACE", "1")
    pytester.makepyfile(HANGING)
    options = ("-p", "watchdog", "-p", "no:cacheprovider", "-n", "1", "--timeout", "2")
    result = pytester.runpytest_subprocess(*options, timeout=60)
    result.stdout.fnmatch_lines(
        ["*crashed while running*test_hangs'", "*crashed while running*test_hangs_when*"]
    )
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["passed"]) == (3, 2), "one of them failed before it hung"
    assert "never_put_away" in result.stderr.str(), "where it hung is said"
