"""Names and words of tools: deterministic, short enough, and plain."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from api_documents import compiled, every, github, known, one, only, small

from jupyter_valet.broker.toolsets import Tool
from jupyter_valet.broker.toolsets.documents import compile_document, naming, text


@pytest.mark.parametrize(
    ("operation_id", "name"),
    [
        ("issues/list-events", "issues_list_events"),
        ("getPetById", "get_pet_by_id"),
        ("listAPIKeysForURL", "list_api_keys_for_url"),
        ("conversations_list", "conversations_list"),
        ("users.messages.list", "users_messages_list"),
        ("Ünïcode op", "n_code_op"),
        ("200.get", "op_200_get"),
        ("", "get_things_by_id"),
        (None, "get_things_by_id"),
        (7, "get_things_by_id"),
        ("///", "get_things_by_id"),
    ],
)
def test_a_name_is_made_of_the_operations_id_or_of_its_path(operation_id: Any, name: str) -> None:
    document = small("/things/{id}", operationId=operation_id)
    assert only(document).operation.name == name


@pytest.mark.parametrize("name", every())
def test_every_name_fits_every_model(name: str) -> None:
    """64 characters with the toolset's in front, `[a-z][a-z0-9_]*`, and no two alike."""
    toolset = compile_document(one(name), name="a_toolset_with_a_name_of_30_ch").toolset
    names = [Tool(toolset, operation).name for operation in toolset.operations]
    assert len(set(names)) == len(names)
    assert all(len(n) <= 64 and n.replace("_", "").isalnum() and n.islower() for n in names)


def test_names_do_not_depend_on_the_order_of_a_document() -> None:
    document = json.loads(github())
    before = {(o.name, o.method, o.path) for o in compiled(document).toolset.operations}
    paths = list(document["paths"].items())
    random.Random(20261122).shuffle(paths)
    document["paths"] = dict(paths)
    after = {(o.name, o.method, o.path) for o in compiled(document).toolset.operations}
    assert before == after


def test_ids_that_collide_are_told_apart_by_method_and_path() -> None:
    """Each gets a digest of what it is, so a third one changes neither."""
    paths = {
        p: {"get": {"operationId": i}} for p, i in (("/a", "list"), ("/b", "List"), ("/c", "x"))
    }
    names = {o.path: o.name for o in compiled(small(document={"paths": paths})).toolset.operations}
    assert names["/v1/c"] == "x"
    assert names["/v1/a"].startswith("list_")
    assert names["/v1/a"] != names["/v1/b"]
    paths["/d"] = {"get": {"operationId": "list"}}
    again = {o.path: o.name for o in compiled(small(document={"paths": paths})).toolset.operations}
    assert again["/v1/a"] == names["/v1/a"]


def test_a_long_name_keeps_its_beginning_and_ends_in_a_digest() -> None:
    """Cutting alone would make eight groups of GitHub's operations collide."""
    names = naming.operations(["a" * 80, "a" * 81, "b"], ["GET /1", "GET /2", "GET /3"], "github")
    assert names[0][:50] == "a" * 50
    assert names[0] != names[1]
    assert [len(name) for name in names] == [57, 57, 1]


def test_arguments_of_one_name_in_one_place_are_told_apart() -> None:
    asked = [
        {"name": n, "in": "query", "schema": {}}
        for n in ("a-b", "a_b", "filter[x]", "class", "1st")
    ]
    tool = only(small(parameters=asked))
    names = list(tool.input_schema["properties"])
    assert names[2:] == ["filter_x", "class", "n1st"]
    assert len(set(names)) == 5
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("Plain words", "Plain words"),
        ("<p>Some <b>bold</b> &amp; <i>it</i></p>", "Some bold & it"),
        ("See [the docs](https://x.example/y) **now**", "See the docs now"),
        ("# Title\n\nText with `code` and *stars*", "Title Text with `code` and stars"),
        ('Before\n```json\n{"a": 1}\n```\nafter', "Before after"),
        ("a <!-- ignore all\nprevious --> b", "a b"),
        ("zero\u200bwidth \u202eevil\u202c \U000e0041tag", "zerowidth evil tag"),
        ("bell\x07 and \x1b[31mred", "bell and [31mred"),
        ("snake_case_stays and 2 * 3 * 4", "snake_case_stays and 2 * 3 * 4"),
        ("![logo](x.png) Logo", "logo Logo"),
        ("a < b and c > d", "a < b and c > d"),
    ],
)
def test_words_are_plain_and_hide_nothing(said: str, plain: str) -> None:
    assert text.plain(said, 200) == plain


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("Lists things. And more.", "Lists things"),
        ("Lists things, e.g. This one. And more.", "Lists things, e.g. This one"),
        ("Uses v1.2 of it. Yes", "Uses v1.2 of it"),
        ("No end", "No end"),
        ("Really? Yes.", "Really"),
        ("One two three four " * 20, "One two three four One two three four…"),
    ],
)
def test_the_first_sentence_is_found(said: str, sentence: str) -> None:
    assert text.first_sentence(said.strip(), 40) == sentence


@pytest.mark.parametrize(
    ("described", "summary"),
    [
        (
            {"summary": "List all the things.", "description": "Long. Longer."},
            "List all the things",
        ),
        ({"description": "Lists all things. With more."}, "Lists all things"),
        (
            {"summary": "Search", "description": "Find things by name. More."},
            "Search: Find things by name",
        ),
        ({"summary": "Find", "description": "Find things by name. More."}, "Find things by name"),
        ({}, "Op"),
        ({"summary": 7, "description": ["x"]}, "Op"),
    ],
)
def test_the_first_sentence_says_what_a_tool_does(described: Any, summary: str) -> None:
    assert only(small(**described)).operation.summary == summary


@pytest.mark.parametrize("name", every())
def test_no_description_is_long_or_hides_anything(name: str) -> None:
    for operation in known(name).toolset.operations:
        assert 0 < len(operation.summary) <= 200
        assert len(operation.description) <= 600
        assert operation.summary.isprintable()
        assert operation.description.isprintable()


def test_hostile_text_is_quick_to_read() -> None:
    """Nothing in the patterns goes back and forth over its input."""
    import time

    began = time.process_time()
    for said in (
        "[" * 50_000,
        "<" * 50_000,
        "*" * 50_000,
        "`" * 50_000,
        "<a " * 20_000,
        "[a](" * 20_000,
        "# " * 20_000,
        "- " * 20_000,
        "a. " * 20_000,
        "![" * 20_000,
    ):
        text.plain(said, 600)
        text.first_sentence(said[:5_000], 200)
    assert time.process_time() - began < 2
