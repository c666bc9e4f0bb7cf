"""Results: data first, tables for the eye, a DataFrame on request."""

from __future__ import annotations

import builtins
import json
import pickle
from typing import Any

import pytest

from jupyter_valet.kernel import tables
from jupyter_valet.kernel.results import Record, Rows, result
from jupyter_valet.wire import mcp as names
from jupyter_valet.wire.errors import ValetError

ISSUES = [{"number": 1, "title": "<script>alert(1)</script>"}, {"number": 2, "labels": ["a"]}]


def reply(data: Any, **more: Any) -> dict[str, Any]:
    return {"structuredContent": data, "content": [{"type": "text", "text": "x"}], **more}


def test_a_list_is_a_list() -> None:
    """Results are plain data to every other library."""
    found = result(reply(ISSUES))
    assert isinstance(found, list)
    assert found == ISSUES
    assert json.loads(json.dumps(found)) == ISSUES
    assert pickle.loads(pickle.dumps(found)) == ISSUES
    assert [row["number"] for row in found] == [1, 2]


def test_an_object_is_a_dict() -> None:
    """Nested data shows itself as well."""
    found = result(reply({"total": 2, "items": ISSUES}))
    assert isinstance(found, dict)
    assert found["total"] == 2
    assert isinstance(found["items"], Rows)
    assert isinstance(found["items"][0], Record)
    assert isinstance(found["items"][:1], Rows)


@pytest.mark.parametrize("data", [3, "text", None, True])
def test_a_scalar_is_itself(data: Any) -> None:
    """No wrapper where there is nothing to wrap."""
    assert result(reply(data)) is data


def test_text_alone_is_text_or_the_json_in_it() -> None:
    """Tools without structured content."""
    assert result({"content": [{"type": "text", "text": "hello"}]}) == "hello"
    assert result({"content": [{"type": "text", "text": '[{"a": 1}]'}]}) == [{"a": 1}]
    assert result({"content": [{"type": "text", "text": "[not json"}]}) == "[not json"
    assert result({"content": []}) is None


def test_other_blocks_are_handed_over() -> None:
    """An image is not thrown away."""
    block = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    assert result({"content": [block]}) == [block]


def test_an_error_is_raised_with_what_the_api_said_apart() -> None:
    """Upstream text is data for the person and never part of an error text."""
    error = ValetError("upstream_error", provider="Demo", status=404)
    data = reply(
        {"message": "secret of upstream"}, isError=True, _meta={names.META_ERROR: error.to_json()}
    )
    with pytest.raises(ValetError) as caught:
        result(data)
    assert str(caught.value) == str(error)
    assert caught.value.result == {"message": "secret of upstream"}
    (line,) = caught.value._render_traceback_()
    assert "sys.last_value.result" in line
    assert "secret of upstream" not in line


def test_rows_become_a_data_frame() -> None:
    """`.df` for flat lists."""
    frame = Rows(ISSUES).df
    assert list(frame["number"]) == [1, 2]
    assert len(Rows().df) == 0


def test_a_record_becomes_the_frame_of_its_one_list() -> None:
    """Paged answers: the rows are in a member."""
    assert len(Record({"total": 2, "items": ISSUES}).df) == 2
    assert list(Record({"a": 1, "b": 2}).df.columns) == ["a", "b"]


def test_what_is_not_a_table_says_so() -> None:
    """One line, with the next step."""
    with pytest.raises(ValetError) as error:
        _ = Rows([1, 2]).df
    assert error.value.code == "not_flat"
    with pytest.raises(ValetError) as error:
        _ = Record({"a": ISSUES, "b": ISSUES}).df
    assert error.value.code == "not_flat"


def test_without_pandas_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """pandas is the person's choice."""
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ValetError) as error:
        _ = Rows(ISSUES).df
    assert error.value.code == "no_pandas"
    assert "%pip install pandas" in str(error.value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (["bug", "data quality"], "bug, data quality"),
        (["a, b", "c"], "[&quot;a, b&quot;, &quot;c&quot;]"),
        (["", "c"], "[&quot;&quot;, &quot;c&quot;]"),
        ([1, 2], "[1, 2]"),
        ([], "[]"),
    ],
)
def test_words_need_no_brackets(value: list[Any], shown: str) -> None:
    """A list of labels reads as one, unless the commas could be misread."""
    assert f">{shown}</td>" in Record({"labels": value})._repr_html_()


def test_upstream_html_is_never_html_here() -> None:
    """Issue titles are hostile input."""
    hostile = "<img src=x onerror=alert(1)>"
    for html in (
        Rows([{hostile: hostile, "deep": {hostile: [hostile]}}])._repr_html_(),
        Record({hostile: hostile})._repr_html_(),
    ):
        assert html is not None
        assert "<img" not in html
        assert "&lt;img" in html


def test_tables_have_limits_and_say_so() -> None:
    """A notebook stays small whatever an API sends."""
    rows = [{f"c{n}": "x" * 5000 for n in range(40)} for _ in range(500)]
    html = Rows(rows)._repr_html_()
    assert html is not None
    assert html.count("<tr>") == tables.MAX_ROWS + 1
    assert html.count("<th ") == tables.MAX_COLUMNS
    assert "first 50 of 500 rows, first 20 of 40 columns" in html
    assert len(html) < 400_000
    assert len(repr(Rows(rows))) < 100_000


def test_rows_that_are_not_records_have_no_table() -> None:
    """The plain repr does better."""
    assert Rows([1, 2])._repr_html_() is None
    assert repr(Rows([1, 2])) == "[1, 2]"
