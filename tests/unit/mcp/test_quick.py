"""Which requests are answered as JSON without the means to become a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jupyter_valet.broker.mcp.quick import is_quick

MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call"}


def scope(**headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"headers": [(n.encode(), v.encode()) for n, v in {**MODERN, **named}.items()]}


def message(more_body: bool = False, **params: Any) -> dict[str, Any]:
    body = json.dumps({"method": "tools/call", "params": params}).encode()
    return {"type": "http.request", "body": body, "more_body": more_body}


def test_a_first_leg_is_quick() -> None:
    """It ends with a result, a question or an error; nothing is told on the way."""
    assert is_quick(scope(), message(name="demo_get_issue", arguments={"number": 41}))


@pytest.mark.parametrize(
    "params", [{"requestState": "v1.x"}, {"_meta": {"progressToken": 1}}], ids=["wait", "progress"]
)
def test_who_waits_or_wants_to_hear_of_progress_gets_a_stream(params: dict[str, Any]) -> None:
    """streamable-http: progress rides the stream, and so do the pings of a long wait."""
    assert not is_quick(scope(), message(**params))


@pytest.mark.parametrize(
    "headers",
    [{"mcp_protocol_version": "2025-11-25"}, {"mcp_method": "subscriptions/listen"}],
    ids=["older revision", "a method that is a stream"],
)
def test_other_requests_are_served_as_ever(headers: dict[str, str]) -> None:
    """Only what cannot need a stream does without one."""
    assert not is_quick(scope(**headers), message())


def test_a_body_that_has_not_arrived_is_not_judged() -> None:
    """What it asks for may be in the rest."""
    assert not is_quick(scope(), message(more_body=True))
    assert not is_quick(scope(), {"type": "http.disconnect"})
