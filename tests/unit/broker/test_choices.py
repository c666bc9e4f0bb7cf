"""What a person chose on a page, read strictly."""

from __future__ import annotations

from datetime import datetime

import pytest

from jupyter_valet.broker.consent import choices
from jupyter_valet.broker.policy import Limits
from jupyter_valet.wire.errors import ValetError

NOON = datetime(2026, 11, 22, 12).astimezone().timestamp()


def test_the_default_is_to_read_until_it_is_taken_back() -> None:
    assert choices.access({}) == "read"
    assert choices.span({}, NOON) == choices.Span()
    assert choices.limits({}) == Limits()
    assert not choices.understood({})


def test_a_span_is_a_run_a_day_a_month_or_for_good() -> None:
    assert choices.span({"until": "run"}, NOON).run
    end_of_day = datetime.fromtimestamp(choices.span({"until": "today"}, NOON).until).astimezone()
    assert (end_of_day.day, end_of_day.hour, end_of_day.minute) == (23, 0, 0)
    assert choices.span({"until": "month"}, NOON).until == NOON + 30 * 86400
    assert choices.span({"until": "kept"}, NOON, kept=5.0).until == 5.0


def test_limits_are_lists_of_what_is_allowed() -> None:
    form = {
        "hosts": "api.example api.example:8443 api.example",
        "methods": "GET POST",
        "paths": "/a/*\n/b/**",
        "scopes": "https://scope.example/read repo:status",
        "per_hour": " 60 ",
    }
    assert choices.limits(form) == Limits(
        ("api.example", "api.example:8443"),
        ("GET", "POST"),
        ("/a/*", "/b/**"),
        ("https://scope.example/read", "repo:status"),
        60,
    )


@pytest.mark.parametrize(
    "form",
    [
        {"hosts": "API.example"},
        {"hosts": "https://api.example"},
        {"hosts": "*.example"},
        {"methods": "get"},
        {"methods": "CONNECT"},
        {"paths": "a/*"},
        {"paths": "/a//b"},
        {"paths": "/a/%2e%2e"},
        {"scopes": 'a"b'},
        {"per_hour": "0"},
        {"per_hour": "9" * 6},
        {"per_hour": "\u0666"},
        {"paths": " ".join(f"/{n}" for n in range(33))},
    ],
    ids=str,
)
def test_what_no_form_offers_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(ValetError, match="form cannot be used"):
        choices.limits(form)


def test_boxes_are_read_by_their_number() -> None:
    form = {"write0": "http POST api.example/a b", "write1": "x", "writes": "y", "write": "z"}
    assert choices.ticked(form, "write") == {"http POST api.example/a b", "x"}
