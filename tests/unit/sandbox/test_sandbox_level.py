"""What may be claimed follows from what was seen, and from nothing else."""

from __future__ import annotations

from jupyter_valet.sandbox.level import level
from jupyter_valet.sandbox.probe import ESSENTIAL, Finding, Report, Verdict, _compare

HELD = tuple(Finding(attack, Verdict.STOPPED) for attack in sorted(ESSENTIAL))
KNOWN = Finding("R38 change the mode of a hidden file", Verdict.WORKS)


def test_a_wall_that_stopped_everything_is_l2() -> None:
    assert level(Report("landlock", HELD))[0] == "L2"


def test_nothing_seen_is_nothing_claimed() -> None:
    assert level(None)[0] == ""
    assert level(Report("landlock"))[0] == ""


def test_one_attack_that_works_is_the_end_of_the_claim() -> None:
    broken = Report("landlock", (*HELD, Finding("R07 io_uring", Verdict.WORKS)))
    name, words = level(broken)
    assert name == ""
    assert "R07 io_uring works" in words


def test_an_essential_attack_that_could_not_be_tried_is_no_defence() -> None:
    """A broken test must not look like a wall."""
    unproven = Finding(HELD[0].attack, Verdict.UNPROVEN)
    assert level(Report("landlock", (unproven, *HELD[1:])))[0] == ""


def test_a_documented_weakness_is_no_surprise_for_its_own_back_end_only() -> None:
    assert level(Report("landlock", (*HELD, KNOWN)))[0] == "L2"
    assert level(Report("bubblewrap", (*HELD, KNOWN)))[0] == ""


def test_opened_ports_are_named_with_what_they_mean() -> None:
    assert "8050" in level(Report("landlock", HELD), ports=[8050])[1]
    assert "R80" in level(Report("landlock", HELD), ports=[8050])[1]


def test_verdicts_need_the_control() -> None:
    without = {"a": None, "b": "no such thing", "c": None, "d": None}
    within = {"a": "refused", "b": "refused", "c": None, "d": "?nobody came"}
    assert [finding.verdict for finding in _compare(without, within)] == [
        Verdict.STOPPED,
        Verdict.UNPROVEN,
        Verdict.WORKS,
        Verdict.UNPROVEN,
    ]
