"""Finding tools: words, questions, indexes, ranking."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from api_documents import github

from jupyter_valet.broker.search import Index, Indexes, search
from jupyter_valet.broker.search.entry import Entry
from jupyter_valet.broker.search.question import Question
from jupyter_valet.broker.search.words import name_terms, spoken, stem, terms
from jupyter_valet.broker.toolsets import Tool, Toolset
from jupyter_valet.broker.toolsets.builtin import CURATED
from jupyter_valet.broker.toolsets.documents import compile_document

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import bench_search

SETS = {toolset.name: toolset for toolset in CURATED}


def _tools(toolset: Toolset) -> list[Tool]:
    return [Tool(toolset, one) for one in toolset.operations]


def _index(name: str) -> Index:
    return Index.of([Entry.of(tool) for tool in _tools(SETS[name])])


def _first(name: str, text: str) -> str:
    return search([_index(name)], text, 1)[0].name.removeprefix(f"{name}_")


@pytest.mark.parametrize(
    ("toolset", "text", "name"),
    [
        ("github", "file a new bug", "create_issue"),
        ("github", "close an issue", "update_issue"),
        ("github", "who am I?", "get_me"),
        ("github", "which PRs are open", "list_pulls"),
        ("github", "open a PR", "create_pull"),
        ("github", "newest release", "get_latest_release"),
        ("github", "did the CI pass?", "list_runs"),
        ("google", "add rows to a spreadsheet", "append_rows"),
        ("google", "look for e-mails", "search_mail"),
        ("google", "appointments in my calendar", "list_events"),
        ("google", "columns of a table", "get_table"),
        ("slack", "send a message to a room", "post_message"),
        ("slack", "replies in a thread", "read_thread"),
        ("huggingface", "rows of a dataset", "read_rows"),
    ],
)
def test_plain_words_find_the_tool(toolset: str, text: str, name: str) -> None:
    """Other questions and other APIs than those of the bench: nothing is made for GitHub alone."""
    assert _first(toolset, text) == name


def test_a_name_finds_its_tool() -> None:
    """A model that half remembers a name types it."""
    for tool in _tools(SETS["github"]):
        assert search([_index("github")], tool.name, 3)[0].name == tool.name


def test_the_questions_written_before_the_engine_are_answered() -> None:
    """The bench's bar, held here as well: hit@5 of at least 0.85 in either half."""
    toolset = compile_document(github(), name="github").toolset
    index = Index.of([Entry.of(tool) for tool in _tools(toolset)])
    asked = bench_search.questions()
    assert len(asked) >= 100
    assert bench_search.hits(index, asked[0::2]) >= 0.85
    assert bench_search.hits(index, asked[1::2]) >= 0.85


def test_the_same_question_has_the_same_answer() -> None:
    """Ties are broken by name, whatever the order of indexes and tools."""
    forward = [_index("github"), _index("google")]
    for text in ("list", "get the file", "x", ""):
        assert search(forward, text, 25) == search(forward[::-1], text, 25)
    turned = Index.of([Entry.of(tool) for tool in reversed(_tools(SETS["github"]))])
    found = [one.name for one in search([turned], "list issues", 25)]
    assert found == [one.name for one in search([_index("github")], "list issues", 25)]


@pytest.mark.parametrize("text", ["", "???", "the of a", "x" * 400, "ütf 🐙 \x00", "qqqq zzzz"])
def test_any_text_is_a_question(text: str) -> None:
    """No answer is an answer."""
    assert len(search([_index("github")], text, 5)) <= 5
    assert search([], text, 5) == []


def test_words_are_read_in_one_form() -> None:
    """Names in any case, abbreviations, e-mail with and without its hyphen."""
    assert list(name_terms("nextPageToken")) == list(name_terms("next_page_token"))
    assert list(name_terms("HTTPServer2")) == ["http", "server", "2"]
    assert list(terms("my repos")) == list(terms("the repositories"))
    assert spoken("E-mail") == spoken("email") == ["email"]
    assert stem("issues") == stem("issue")


@pytest.mark.parametrize(
    ("text", "action", "reads"),
    [
        ("Create a branch", "create", False),
        ("Remove a member", "delete", False),
        ("List branches", "list", True),
        ("Star a repository", "write", False),
        ("Which labels are there?", "list", True),
        ("Has this been merged?", None, True),
        ("labels of an issue", "list", True),
        ("release", None, None),
    ],
)
def test_a_question_says_what_is_wanted(text: str, action: str | None, reads: bool | None) -> None:
    """By its verb, its question word, or its plural."""
    question = Question.of(text)
    assert (question.action, question.reads) == (action, reads)


def test_an_index_comes_back_from_its_file(tmp_path: Path) -> None:
    """Made once; a damaged file, or one of another version, is the same as none."""
    toolset = SETS["github"]
    many = tuple(replace(toolset.operations[0], name=f"get_{n}") for n in range(150))
    tools = _tools(replace(toolset, operations=many))
    made = Indexes(tmp_path).of(tools)["github"]
    [file] = tmp_path.glob("*.index")
    assert file.stat().st_mode & 0o077 == 0
    before = file.read_bytes()
    assert Indexes(tmp_path).of(tools)["github"] == made
    for damaged in (b"", before[:-1], before[:40] + b"x" + before[41:]):
        file.write_bytes(damaged)
        assert Indexes(tmp_path).of(tools)["github"] == made
        assert file.read_bytes() == before


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    """A full or foreign disk does not take the search away."""
    (tmp_path / "file").write_text("")
    toolset = SETS["github"]
    many = tuple(replace(toolset.operations[0], name=f"get_{n}") for n in range(150))
    assert Indexes(tmp_path / "file").of(_tools(replace(toolset, operations=many)))


def test_an_index_is_made_once_for_each_list() -> None:
    """By the identity of the list, which stays the same until something changes."""
    indexes = Indexes()
    tools = _tools(SETS["slack"])
    assert not indexes.ready(tools)
    assert indexes.of(tools) is indexes.of(tools)
    assert indexes.ready(tools)
    assert not indexes.ready(list(tools))
