"""Outcomes in MCP's terms."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_valet.broker.calls import ToolOutcome
from jupyter_valet.broker.mcp.results import failure, on_the_wire, success
from jupyter_valet.wire.errors import RemoteError, ValetError
from jupyter_valet.wire.mcp import META_ERROR


def test_an_error_is_one_line_for_a_model_and_whole_for_our_client() -> None:
    """frameworks D3: fixed words, no URL; the kernel rebuilds the very error."""
    error = ValetError("authorization_required", provider="github")
    result = failure(error)
    assert result.is_error
    assert result.content[0].text == (  # type: ignore[union-attr]
        "authorization_required: github is not signed in. The person must sign in in the "
        "notebook: run %connect github. Do not retry."
    )
    assert result.meta is not None
    assert str(RemoteError(result.meta[META_ERROR])) == str(error)


def test_a_list_is_wrapped_for_the_older_revision_only() -> None:
    """2025-11-25: structured content is an object."""
    outcome = ToolOutcome([1, 2])
    assert success(outcome, wrap=True).structured_content == {"result": [1, 2]}
    assert success(outcome, wrap=False).structured_content == [1, 2]
    assert success(ToolOutcome({"a": 1}), wrap=True).structured_content == {"a": 1}


def test_text_is_sent_as_it_is() -> None:
    """Not as a JSON string."""
    result = success(ToolOutcome("plain"), wrap=True)
    assert result.content[0].text == "plain"  # type: ignore[union-attr]


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON, st.dictionaries(st.text(), st.integers()), st.booleans())
def test_what_is_written_at_once_is_what_the_models_make_of_it(
    data: object, meta: dict[str, int], spoken: bool
) -> None:
    """PS-04: the quick way says the same as the SDK's models do."""
    outcome = ToolOutcome(data, meta=meta, spoken=spoken)
    written = on_the_wire(outcome, {"who": 1})
    if written is None:
        return
    model = success(outcome, wrap=False).model_dump(by_alias=True, mode="json", exclude_none=True)
    model = {name: value for name, value in model.items() if value is not None}
    assert json.loads(written) == {**model, "_meta": {**meta, "who": 1}}


@pytest.mark.parametrize(
    "outcome",
    [
        ToolOutcome({}, ValetError("not_found", what="x")),
        ToolOutcome(None, content=[{"type": "text", "text": "x"}]),
        ToolOutcome("\ud800"),
        ToolOutcome({"a": {1}.union}),
    ],
)
def test_what_is_not_quite_data_is_left_to_the_models(outcome: ToolOutcome) -> None:
    """Errors, content of other servers, half characters."""
    assert on_the_wire(outcome, {}) is None


def test_what_a_person_s_code_reads_is_sent_once() -> None:
    """Ten megabytes as data need no ten megabytes of text beside them."""
    outcome = ToolOutcome({"a": 1}, spoken=False)
    result = success(outcome, wrap=False)
    assert (result.content, result.structured_content) == ([], {"a": 1})
    assert success(ToolOutcome("text", spoken=False), wrap=False).content
    assert success(ToolOutcome(None, spoken=False), wrap=False).content
