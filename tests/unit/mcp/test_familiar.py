"""Calls of a form that was judged before."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from jupyter_valet.broker.mcp import inbound
from jupyter_valet.broker.mcp.familiar import Familiar

PREFIX = "io.modelcontextprotocol/"
CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "demo_list",
        "arguments": {"a": 1},
        "_meta": {PREFIX + "protocolVersion": "2026-07-28", PREFIX + "clientCapabilities": {}},
    },
}
HEADERS = {
    "host": "127.0.0.1:9",
    "authorization": "Bearer x",
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "demo_list",
}


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return, filled as they come, the bodies that the SDK's rules are asked about."""
    bodies: list[bytes] = []
    real = inbound.read

    def noted(scope: Any, body: bytes, schema_of: Any) -> Any:
        bodies.append(body)
        return real(scope, body, schema_of)

    monkeypatch.setattr(inbound, "read", noted)
    return bodies


def ask(known: Familiar, message: Any, schema: Any = None, **headers: str) -> Any:
    pairs = [(n.encode(), v.encode()) for n, v in {**HEADERS, **headers}.items()]
    scope = {"method": "POST", "headers": pairs}
    return known.read(scope, json.dumps(message).encode(), lambda name: schema)


def changed(**members: Any) -> dict[str, Any]:
    return {**CALL, **members}


def with_params(**members: Any) -> dict[str, Any]:
    return changed(params={**CALL["params"], **members})


def test_a_second_call_is_not_judged_again(judged: list[bytes]) -> None:
    """What differs from call to call is read from this very call."""
    known = Familiar()
    assert ask(known, CALL)
    again = changed(id="b", params={**CALL["params"], "arguments": {"c": 2}})
    found = ask(known, again, authorization="Bearer y")
    assert (found.id, found.raw, found.params.arguments) == ("b", again["params"], {"c": 2})
    assert (found.version, found.capabilities) == ("2026-07-28", {})
    other = ask(known, with_params(name="demo_other"), **{"mcp-name": "demo_other"})
    assert other.params.name == "demo_other"
    assert len(judged) == 1


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        (changed(more=1), {}),
        (changed(id=True), {}),
        (changed(id=1.5), {}),
        (changed(jsonrpc="1.0"), {}),
        (changed(method="tools/list"), {"mcp-method": "tools/list"}),
        (with_params(more=1), {}),
        (with_params(requestState="x"), {}),
        (with_params(arguments=None), {}),
        (with_params(arguments=[1]), {}),
        (with_params(name=7), {}),
        (with_params(name="demo_other"), {}),
        (with_params(name="=?base64?eA==?="), {"mcp-name": "=?base64?eA==?="}),
        (with_params(_meta={**CALL["params"]["_meta"], "progressToken": 1}), {}),
        (with_params(_meta={**CALL["params"]["_meta"], "x": 1}), {}),
        (with_params(_meta={}), {}),
        (CALL, {"accept": "text/html"}),
        (CALL, {"mcp-method": "tools/list"}),
        (CALL, {"mcp-protocol-version": "2031-01-01"}),
        (CALL, {"mcp-param-a": "1"}),
        ([CALL], {}),
        ("\ud800", {}),
    ],
)
def test_what_is_of_another_form_is_judged(
    judged: list[bytes], message: Any, headers: dict[str, str]
) -> None:
    """PS-03: nothing is let in because something like it was."""
    known = Familiar()
    assert ask(known, CALL)
    ask(known, copy.deepcopy(message), **headers)
    assert len(judged) == 2


def test_a_tool_that_declares_headers_is_judged(judged: list[bytes]) -> None:
    """Its arguments must agree with them in each call."""
    known = Familiar()
    assert ask(known, CALL)
    assert ask(known, CALL, {"properties": {}})
    assert len(judged) == 2


def test_a_header_that_is_there_twice_is_judged(judged: list[bytes]) -> None:
    """Readers could disagree about it."""
    known = Familiar()
    assert ask(known, CALL)
    pairs = [(n.encode(), v.encode()) for n, v in HEADERS.items()]
    scope = {"method": "POST", "headers": [*pairs, (b"mcp-name", b"demo_list")]}
    assert known.read(scope, json.dumps(CALL).encode(), lambda name: None) is None
    assert len(judged) == 2


def test_what_is_remembered_is_little_and_nobody_s(judged: list[bytes]) -> None:
    """Forms come from outside: neither their number nor their size is theirs to choose."""
    known = Familiar()
    for number in range(100):
        ask(known, CALL, **{"user-agent": str(number)})
    ask(known, with_params(_meta={**CALL["params"]["_meta"], "x": "y" * 5000}))
    assert len(known._known) == 64
    assert "Bearer" not in repr(known._known)
    assert "'a': 1" not in repr(known._known)
