"""What a model is given of an answer, and what it is told of the rest."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from jupyter_valet.broker.catalogue import ToolOutcome, Wish
from jupyter_valet.broker.egress import Response
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.shaping import Projection, UnusableProjection, outcome, wait_seconds
from jupyter_valet.broker.shaping.cutting import cut, size
from jupyter_valet.broker.shaping.refusal import LONGEST, refusal
from jupyter_valet.broker.toolsets import Operation, Parameter, Shaping, Tool, Toolset
from jupyter_valet.broker.toolsets.model import Paging
from jupyter_valet.wire.mcp import META_NEXT

_PARAMETERS = (
    Parameter("page", "query", {"type": "integer"}, ""),
    Parameter("per_page", "query", {"type": "integer", "default": 2}, ""),
    Parameter("after", "query", {"type": "string"}, "", wire_name="pageToken"),
)
LIST = Operation("list_things", "List things", "GET", "/things", _PARAMETERS)
NO_WISH = Wish()
API = Toolset("api", "An API", "api", Origin.parse("https://api.example"), (LIST,))
NEXT = '<https://api.example/things?page=3&per_page=2>; rel="next", <https://x.y/>; rel="last"'


def _tool(toolset: Toolset = API, **changes: Any) -> Tool:
    return Tool(toolset, replace(LIST, **changes))


def _given(
    data: Any, tool: Tool | None = None, wish: Wish = NO_WISH, status: int = 200, **headers: str
) -> ToolOutcome:
    lines = {"content-type": "application/json", **headers}
    body = b"" if data is None else json.dumps(data).encode()
    return outcome(tool or _tool(), {}, Response(status, lines, body), "An API", wish)


def test_what_is_for_programs_is_left_out_and_counted() -> None:
    """Nulls, links to the API itself, base64; what is left says how to get them."""
    record = {
        "id": 7,
        "body": None,
        "node_id": "MDU6",
        "comments_url": "https://api.example/things/7/comments",
        "self": "https://api.example/things/7",
        "html_url": "https://example/things/7",
        "_links": {"self": {"href": "x"}},
        "raw": "QUJD" * 200,
        "labels": [],
    }
    given = _given([record]).data
    assert given["result"] == [
        {
            "id": 7,
            "html_url": "https://example/things/7",
            "raw": "(base64, 800 characters)",
            "labels": [],
        }
    ]
    assert given["_trimmed"].startswith("1 base64, 4 links, 1 null (valet_call_tool")


def test_a_persons_code_gets_what_the_api_sent() -> None:
    """`tools.x.y()` and its `.df` have every member; the next page is beside the data."""
    record = {"a": None, "b_url": "https://api.example/b"}
    given = _given([record], wish=Wish(whole=True), link=NEXT)
    assert given.data == [record]
    assert given.meta == {META_NEXT: {"page": 3, "per_page": 2}}


def test_nothing_is_said_where_nothing_is_missing() -> None:
    """A list stays a list."""
    assert _given([{"a": 1}]).data == [{"a": 1}]
    assert _given({"a": 1}).data == {"a": 1}


def test_a_selection_comes_first_then_the_callers() -> None:
    """A caller's `fields` chooses from what the tool selects, never from more."""
    tool = _tool(select="{items: things[].{id: id, name: name}}")
    data = {"things": [{"id": 1, "name": "a", "secret": "s"}], "more": 1}
    assert _given(data, tool).data == {"items": [{"id": 1, "name": "a"}]}
    assert _given(data, tool, Wish(fields="items[].name")).data == ["a"]
    chosen = _given(data, tool, Wish(fields="things[].secret")).data
    assert chosen == {"result": None, "_selected": "nothing: `things[].secret` found nothing"}
    assert _given({"a": None}, wish=Wish(fields="@")).data == {"a": None}


def test_trimming_can_be_switched_off() -> None:
    """By toolset."""
    kept = replace(API, shaping=Shaping(trim=False))
    assert _given({"a": None}, _tool(kept)).data == {"a": None}


def test_a_long_answer_is_cut_with_a_word_about_it() -> None:
    """Fewer items first; the limit is the toolset's."""
    small = replace(API, shaping=Shaping(limit=1_000))
    given = _given([{"n": n, "text": "x" * 50} for n in range(100)], _tool(small)).data
    assert 1 <= len(given["result"]) < 20
    assert given["_cut"].startswith(f"the first {len(given['result'])} of 100 items; ask for fewer")
    assert size(given["result"]) <= 1_000


@pytest.mark.parametrize(
    "data",
    [
        "x" * 9_000,
        ["y" * 9_000],
        {"a": "z" * 9_000, "b": ["c" * 3_000] * 3},
        {str(n): n for n in range(4_000)},
        [[[["deep"] * 5_000]]],
    ],
)
def test_any_answer_fits(data: Any) -> None:
    """Whatever its form, and with a note."""
    fitting, note = cut(data, 1_000)
    assert size(fitting) <= 1_100
    assert note


def test_no_member_of_the_apis_gives_way_to_a_note() -> None:
    """An API with a `next` of its own keeps it."""
    given = _given({"next": "theirs"}, link=NEXT).data
    assert given == {"next": "theirs", "_valet_next": {"page": 3, "per_page": 2}}


@pytest.mark.parametrize(
    ("paging", "data", "headers", "found"),
    [
        (None, [1], {"link": NEXT}, {"page": 3, "per_page": 2}),
        (None, [1], {"link": '<https://x/?page=9>; rel="prev"'}, {}),
        (None, [1], {"link": '<https://x/?evil=1>; rel="next"'}, {}),
        (None, [1], {"link": "<" * 9_000}, {}),
        (Paging("token", "after", "meta.next"), {"meta": {"next": "t"}}, {}, {"after": "t"}),
        (Paging("token", "after", "meta.next"), {"meta": {"next": ""}}, {}, {}),
        (Paging("token", "after", "meta.next"), {"meta": []}, {}, {}),
        (Paging("page", "page"), [1, 2], {}, {"page": 2}),
        (Paging("page", "page"), [1], {}, {}),
        (Paging("offset", "page"), [1, 2], {}, {"page": 2}),
        (None, [1, 2], {}, {}),
    ],
)
def test_the_next_page_is_arguments(
    paging: Paging | None, data: Any, headers: dict[str, str], found: dict[str, Any]
) -> None:
    """RFC 8288's `Link`, a token in the answer, a number; only what the tool takes."""
    given = _given(data, _tool(paging=paging), **headers)
    assert given.meta.get(META_NEXT, {}) == found


@pytest.mark.parametrize(
    ("status", "data", "told"),
    [
        (
            422,
            {
                "message": "Validation Failed",
                "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}],
                "documentation_url": "https://docs.example",
            },
            {"said": "Validation Failed: Issue.title missing_field"},
        ),
        (
            403,
            {
                "error": {
                    "code": 403,
                    "message": "The API is off.",
                    "status": "PERMISSION_DENIED",
                    "errors": [{"message": "The API is off.", "reason": "accessNotConfigured"}],
                }
            },
            {"said": "The API is off.", "code": "PERMISSION_DENIED"},
        ),
        (
            200,
            {"ok": False, "error": "missing_scope", "needed": "chat:write", "provided": "read"},
            {"said": "missing_scope", "needed": "chat:write", "provided": "read"},
        ),
        (400, {"detail": "No such thing", "type": "t"}, {"said": "No such thing", "code": "t"}),
        (404, {"error": "Repository not found"}, {"said": "Repository not found"}),
        (500, "<html><b>oops</b></html>", {}),
        (502, "upstream\nis\x00 down", {"said": "upstream is down"}),
        (500, None, {}),
        (500, [1], {}),
        (400, {"message": "x" * 5_000}, {"said": "x" * (LONGEST - 1) + "…"}),
    ],
)  # fmt: skip
def test_a_refusal_is_one_line_of_what_was_said(
    status: int, data: Any, told: dict[str, Any]
) -> None:
    """GitHub, Google, Slack, RFC 9457, Hugging Face, and what is none of them."""
    assert refusal(status, data) == {"status": status, **told}


def test_a_refusal_within_a_success_is_one() -> None:
    """Slack answers 200 and says `ok: false`."""
    slack = replace(API, verdict="ok")
    given = _given({"ok": False, "error": "channel_not_found"}, _tool(slack))
    assert given.error is not None
    assert given.error.code == "upstream_error"
    assert given.data == {"status": 200, "said": "channel_not_found"}
    assert _given({"ok": True}, _tool(slack)).error is None


@pytest.mark.parametrize("status", [204, 304])
def test_no_content_is_an_answer(status: int) -> None:
    """Neither an error nor `null`."""
    given = _given(None, status=status)
    assert given.error is None
    assert given.data == {"status": status}


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "7"}, 7),
        (429, {}, 60),
        (429, {"retry-after": "soon"}, 60),
        (429, {"retry-after": "-1"}, 60),
        (429, {"retry-after": "9" * 40}, 60),
        (503, {"retry-after": "999999999"}, 86_400),
        (503, {}, None),
        (403, {"retry-after": "1"}, 1),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 0),
        (403, {"x-ratelimit-remaining": "12"}, None),
        (200, {"retry-after": "7"}, None),
    ],
)
def test_an_api_says_how_long_to_wait(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    """RFC 9110 §10.2.3, and GitHub's 403."""
    assert wait_seconds(status, headers) == seconds


def test_a_date_is_a_wait() -> None:
    """RFC 9110 §10.2.3: an HTTP-date."""
    waited = wait_seconds(503, {"retry-after": formatdate(time.time() + 30, usegmt=True)})
    assert waited is not None
    assert 25 < waited <= 31


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("[", "is not a JMESPath expression"),
        ("a" * 2_000, "is longer than"),
        ("join(',', @)", "uses join"),
        ("a.{b: map(&c, @)}", "uses map"),
        ("[?to_string(a) == 'x']", "uses to_string"),
    ],
)
def test_an_unusable_expression_is_refused_before_it_runs(expression: str, words: str) -> None:
    """With words that quote nothing of it."""
    with pytest.raises(UnusableProjection, match=words):
        Projection(expression)


@pytest.mark.parametrize("step", ["[@,@][]", "[*][@,@][]", "[[@,@],[@,@]][][]"])
def test_an_expression_that_grows_has_an_end(step: str) -> None:
    """A hundred characters of JMESPath can ask for terabytes."""
    begin = time.process_time()
    with pytest.raises(UnusableProjection, match="asks for too much"):
        Projection(" | ".join([step] * 30))(list(range(100)))
    assert time.process_time() - begin < 5
