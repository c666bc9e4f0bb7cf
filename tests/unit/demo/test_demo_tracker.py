"""The demo's issue tracker."""

from __future__ import annotations

import pytest

from jupyter_valet.demo.tracker import Invalid, NotFound, Tracker


@pytest.fixture
def tracker() -> Tracker:
    return Tracker.shipped()


def test_issues_come_newest_first_and_without_bodies(tracker: Tracker) -> None:
    issues = tracker.issues("tidepool")
    created = [issue["created_at"] for issue in issues]
    assert created == sorted(created, reverse=True)
    assert all("body" not in issue for issue in issues)


def test_state_and_limit_choose(tracker: Tracker) -> None:
    assert {i["state"] for i in tracker.issues("tidepool", "closed")} == {"closed"}
    assert len(tracker.issues("tidepool", "all", 2)) == 2


@pytest.mark.parametrize(("state", "limit"), [("new", 5), ("open", 0), ("open", 101)])
def test_other_values_are_refused(tracker: Tracker, state: str, limit: int) -> None:
    with pytest.raises(Invalid):
        tracker.issues("tidepool", state, limit)


def test_a_created_issue_can_be_read_again(tracker: Tracker) -> None:
    made = tracker.create("tidepool", "amara", {"title": " Tides ", "labels": ["bug"]})
    assert tracker.issue("tidepool", made["number"])["title"] == "Tides"
    assert tracker.issues("tidepool")[0]["number"] == made["number"]


@pytest.mark.parametrize(
    "values",
    [
        [],
        {},
        {"title": ""},
        {"title": 3},
        {"title": "x" * 201},
        {"title": "x", "labels": "bug"},
        {"title": "x", "assignee": "nobody"},
        {"title": "x", "state": "closed"},
    ],
)
def test_an_issue_that_makes_no_sense_is_refused(tracker: Tracker, values: object) -> None:
    with pytest.raises(Invalid):
        tracker.create("tidepool", "amara", values)


def test_what_is_not_there_is_not_found(tracker: Tracker) -> None:
    with pytest.raises(NotFound):
        tracker.issues("nowhere")
    with pytest.raises(NotFound):
        tracker.issue("tidepool", 1)


def test_two_trackers_share_nothing(tracker: Tracker) -> None:
    tracker.create("tidepool", "amara", {"title": "mine"})
    assert len(Tracker.shipped().issues("tidepool")) == len(tracker.issues("tidepool")) - 1


def test_what_is_changed_of_an_issue_is_changed_and_no_more(tracker: Tracker) -> None:
    before = tracker.issue("tidepool", 52)
    after = tracker.update("tidepool", 52, {"state": "closed", "assignee": "jonas"})
    assert (after["state"], after["assignee"], after["title"]) == (
        "closed",
        "jonas",
        before["title"],
    )
    assert after["closed_at"] == after["updated_at"]
    assert tracker.update("tidepool", 52, {"state": "open"})["closed_at"] is None
    assert tracker.issue("tidepool", 52)["assignee"] == "jonas"


@pytest.mark.parametrize("values", [[], {"state": "new"}, {"title": ""}, {"number": 3}])
def test_a_change_that_makes_no_sense_is_refused(tracker: Tracker, values: object) -> None:
    before = tracker.issue("tidepool", 52)
    with pytest.raises(Invalid):
        tracker.update("tidepool", 52, values)
    assert tracker.issue("tidepool", 52) == before
