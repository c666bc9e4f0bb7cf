"""Outcomes in MCP's terms."""

from __future__ import annotations

from jupyter_valet.broker.calls import ToolOutcome
from jupyter_valet.broker.mcp.results import failure, success
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
