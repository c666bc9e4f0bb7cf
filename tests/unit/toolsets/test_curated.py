"""The built-in toolsets next to the documents of their APIs, where there are such."""

from __future__ import annotations

import re
from functools import lru_cache

import pytest
from api_documents import github, google

from jupyter_valet.broker.shaping import projection
from jupyter_valet.broker.toolsets import Operation, Tool, Toolset
from jupyter_valet.broker.toolsets.builtin import CURATED
from jupyter_valet.broker.toolsets.documents import compile_document

BY_NAME = {toolset.name: toolset for toolset in CURATED}
DISCOVERY = ("gmail.v1", "drive.v3", "sheets.v4", "calendar.v3", "bigquery.v2")

Known = dict[tuple[str, str, str], Operation]


def _blank(path: str) -> str:
    # Gmail's `me` is a value of its {userId}.
    return re.sub(r"\{[^{}]*\}", "{}", path.replace("gmail/v1/users/me/", "gmail/v1/users/{}/"))


def _known(toolset: Toolset) -> Known:
    return {
        (toolset.origin_of(one).host, one.method, _blank(one.path)): one
        for one in toolset.operations
    }


@lru_cache(maxsize=1)
def _documented() -> Known:
    known = _known(compile_document(github(), name="github").toolset)
    for name in DISCOVERY:
        known |= _known(compile_document(google(name), name="google").toolset)
    return known


def _all(*names: str) -> list[Tool]:
    return [Tool(BY_NAME[name], one) for name in names for one in BY_NAME[name].operations]


@pytest.mark.parametrize("tool", _all("github", "google"), ids=lambda tool: tool.name)
def test_an_operation_is_one_that_its_provider_documents(tool: Tool) -> None:
    """Method, host, path, and the names of its arguments, as GitHub and Google have them."""
    if tool.name == "google_userinfo":  # OpenID Connect's, which no document describes
        return
    host, own = tool.source.origin_of(tool.operation).host, tool.operation
    documented = _documented().get((host, own.method, _blank(own.path)))
    assert documented is not None, (host, own.method, own.path)
    taken = {(p.where, p.sent_as) for p in documented.parameters if p.where != "path"}
    assert {(p.where, p.sent_as) for p in own.parameters if p.where != "path"} <= taken


@pytest.mark.parametrize("tool", _all(*BY_NAME), ids=lambda tool: tool.name)
def test_a_selection_is_an_expression(tool: Tool) -> None:
    """Compiled once here, so that no call is the first to find out."""
    projection(tool.operation.select or "@")


@pytest.mark.parametrize("tool", _all(*BY_NAME), ids=lambda tool: tool.name)
def test_a_first_sentence_begins_with_what_is_done(tool: Tool) -> None:
    """A model reads a few words of each tool: a verb first, and no full stop."""
    first = tool.title.split()[0]
    assert first[0].isupper()
    assert not first.endswith("s")
    assert not tool.title.endswith(".")
    assert len(tool.title) <= 90


def test_what_writes_says_so() -> None:
    """By name, so that a new one is looked at: reading needs no approval, writing does."""
    writing = {tool.name for tool in _all(*BY_NAME) if tool.access == "write"}
    assert writing == {
        "github_create_comment",
        "github_create_issue",
        "github_create_pull",
        "github_update_issue",
        "google_append_rows",
        "google_create_event",
        "google_query",
        "google_write_cells",
        "slack_post_message",
    }
