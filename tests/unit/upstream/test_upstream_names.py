"""How tools of a server are named, bounded and checked."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_valet.broker.upstream.settings import Server, server
from jupyter_valet.broker.upstream.tools import (
    LARGEST_LIST,
    MOST,
    Described,
    Offer,
    UpstreamTool,
    offers,
)
from jupyter_valet.wire.errors import ValetError

URL = "https://mcp.example.com/mcp"
SCHEMA: dict[str, Any] = {"type": "object"}


def listed(*names: str) -> dict[str, str]:
    made = offers("up", [Described(name, "", "", SCHEMA) for name in names])
    return {offer.upstream: offer.short_name for offer in made.tools}


@pytest.mark.parametrize(
    ("upstream", "ours"),
    [
        ("get_issue", "get_issue"),
        ("getIssue", "get_issue"),
        ("get-issue.v2", "get_issue_v2"),
        ("API/get Issue", "api_get_issue"),
    ],
)
def test_a_name_is_snake_case(upstream: str, ours: str) -> None:
    assert listed(upstream) == {upstream: ours}


def test_names_do_not_depend_on_the_order() -> None:
    """Who is listed first must not decide who is called by a name that was agreed to."""
    names = ["get_issue", "get-issue", "getIssue", "other"]
    expected = listed(*names)
    assert expected["get_issue"] == "get_issue", "it has the name already"
    assert len(set(expected.values())) == 4
    for order in itertools.permutations(names):
        assert listed(*order) == expected


def test_a_newcomer_does_not_take_a_name() -> None:
    assert listed("get_issue")["get_issue"] == listed("get_issue", "getIssue")["get_issue"]


@given(st.lists(st.text(min_size=1, max_size=120), max_size=8))
def test_every_name_fits_and_is_unique(names: list[str]) -> None:
    """MCP names of ours: `[a-z0-9_]`, 64 characters with the toolset's."""
    toolset = "a_rather_long_name_of_a_toolset_"
    made = offers(toolset, [Described(n, "", "", SCHEMA) for n in names])
    full = [f"{toolset}_{offer.short_name}" for offer in made.tools]
    assert len(set(full)) == len(full)
    assert all(re.fullmatch(r"[a-z0-9_]{1,64}", name, re.ASCII) for name in full)


def test_a_list_without_end_is_cut() -> None:
    many = [Described(f"t{i}", "", "", SCHEMA) for i in range(MOST + 50)]
    made = offers("up", many)
    assert len(made.tools) == MOST
    assert len(made.left_out) == 50


def test_a_list_is_as_large_as_a_record_can_be() -> None:
    long = {"type": "object", "properties": {f"p{i}": {"enum": ["x" * 900]} for i in range(50)}}
    made = offers("up", [Described(f"t{i}", "", "", long) for i in range(100)])
    assert 0 < len(made.tools) < LARGEST_LIST / 40_000
    assert set(made.left_out.values()) == {"the list is too large"}


def test_one_bad_schema_costs_one_tool() -> None:
    bad = {"type": "object", "properties": {"a": {"pattern": "("}}}
    made = offers("up", [Described("a", "", "", bad), Described("b", "", "", SCHEMA)])
    assert [offer.upstream for offer in made.tools] == ["b"]
    assert made.left_out == {"a": "its schema cannot be used"}


def up(**more: Any) -> Server:
    return server("up", {"url": URL, **more})


def of(name: str, *, changed: bool = False, **more: Any) -> UpstreamTool:
    (offer,) = offers("up", [Described(name, "", "", SCHEMA)]).tools
    return UpstreamTool(up(**more), offer, "up", changed)


def test_the_person_says_what_reads() -> None:
    assert of("get_issue").access == "write"
    assert of("get_issue", reads=["get_*"]).access == "read"
    assert of("GET_issue", reads=["get_*"]).access == "write"
    assert of("get_issue", reads=["get_*"], changed=True).access == "write"


def test_another_description_is_another_tool() -> None:
    (one,) = offers("up", [Described("a", "", "one", SCHEMA)]).tools
    (two,) = offers("up", [Described("a", "", "two", SCHEMA)]).tools
    assert one.digest != two.digest
    assert Offer.from_json(one.to_json()).digest == one.digest


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({}, "n is missing"),
        ({"n": "x"}, "n must be as its schema says"),
        ({"n": 1, "evil": 1}, "no argument of that name"),
    ],
)
def test_a_wrong_argument_is_named_in_words_of_ours(arguments: Any, what: str) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    (offer,) = offers("up", [Described("a", "", "", schema)]).tools
    with pytest.raises(ValetError, match=what) as wrong:
        UpstreamTool(up(), offer, "up").check(arguments)
    assert wrong.value.code == "bad_arguments"
