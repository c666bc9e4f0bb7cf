"""The words of MCP 2026-07-28: what is sent, and what is made of what comes back."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from jupyter_valet.kernel import mcp, param_headers
from jupyter_valet.kernel.mcp import Call, StateRefused
from jupyter_valet.wire import mcp as names
from jupyter_valet.wire.errors import ValetError

CALL = Call("tools/call", {"name": "demo_list", "arguments": {"q": 1}})


def body(call: Call, number: int = 7) -> dict[str, Any]:
    return json.loads(call.body(number))


def test_url_mode_is_declared_in_every_request_and_nothing_else() -> None:
    """EC-01, EC-02."""
    for call in (CALL, Call("tools/list")):
        meta = body(call)["params"]["_meta"]
        assert meta[names.META_CAPABILITIES] == {"elicitation": {"url": {}}}
        assert meta[names.META_VERSION] == "2026-07-28"
        assert meta[names.META_CLIENT]["name"] == "jupyter-valet"


def test_the_headers_say_what_the_body_says() -> None:
    """MC-06."""
    headers = CALL.http_headers()
    assert headers["MCP-Protocol-Version"] == "2026-07-28"
    assert headers["Mcp-Method"] == "tools/call"
    assert headers["Mcp-Name"] == "demo_list"
    assert headers["Accept"] == "application/json, text/event-stream"
    assert "Mcp-Name" not in Call("tools/list").http_headers()


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("plain", "plain"),
        ("a b", "a b"),
        (" edge", "=?base64?IGVkZ2U=?="),
        ("\u00e4", "=?base64?w6Q=?="),
        ("a\r\nX: y", "=?base64?YQ0KWDogeQ==?="),
        ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
    ],
)
def test_header_values_survive_or_are_wrapped(value: str, sent: str) -> None:
    """MC-06: streamable HTTP, header values; no header can be smuggled in."""
    assert mcp.header_value(value) == sent


def test_arguments_of_data_scientists_are_sent() -> None:
    """NumPy scalars and dates are not JSON, but everybody has them."""

    class Scalar:
        def item(self) -> int:
            return 3

    call = Call(
        "tools/call", {"name": "t", "arguments": {"d": datetime.date(2026, 1, 2), "n": Scalar()}}
    )
    assert body(call)["params"]["arguments"] == {"d": "2026-01-02", "n": 3}


@pytest.mark.parametrize("value", [object(), float("nan")])
def test_arguments_that_are_not_json_are_refused_in_one_line(value: Any) -> None:
    """A clear error before anything is sent."""
    with pytest.raises(ValetError) as error:
        Call("tools/call", {"name": "t", "arguments": {"x": value}}).body(1)
    assert error.value.code == "bad_arguments"


def test_sse_messages_are_read_over_pings_and_split_lines() -> None:
    """Keep-alive comments, other fields and several data lines are part of a stream."""
    lines = [b": ping", b"", b"event: message", b'data: {"a":', b"data: 1}", b"", b'data:{"b": 2}']
    assert list(mcp.events(lines)) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"id": 7, "result": {}}, True),
        ({"id": 8, "result": {}}, False),
        ({"method": "notifications/progress", "params": {}}, False),
        ({"id": 7, "method": "elicitation/create"}, False),
        ({"id": None, "error": {"code": -32700}}, True),
    ],
)
def test_only_the_reply_to_this_request_counts(message: dict[str, Any], expected: bool) -> None:
    """MC-03's other half; server requests do not exist in 2026-07-28 (ES-12)."""
    assert mcp.is_reply(message, 7) is expected


@pytest.mark.parametrize(
    "reply", [{}, {"resultType": "complete"}, {"resultType": "input_required"}]
)
def test_known_result_types_pass(reply: dict[str, Any]) -> None:
    """MC-05."""
    assert mcp.result({"id": 1, "result": reply}, CALL) == reply


@pytest.mark.parametrize("reply", [{"resultType": "task"}, {"resultType": None}, {"resultType": 1}])
def test_unknown_result_types_are_invalid(reply: dict[str, Any]) -> None:
    """MC-05."""
    with pytest.raises(ValetError) as error:
        mcp.result({"id": 1, "result": reply}, CALL)
    assert error.value.code == "protocol_error"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": -32602, "message": "'repo' is required"}, "bad_arguments"),
        ({"code": -32603, "message": "x"}, "internal"),
        ({"code": -32601, "message": "x"}, "protocol_error"),
        ({"code": -32020, "message": "x"}, "protocol_error"),
        ({"code": -32021, "message": "x"}, "protocol_error"),
        ({"code": -32022, "message": "x"}, "protocol_error"),
        ({"code": -32042, "message": "x", "data": {"elicitations": []}}, "protocol_error"),
        ({"code": "vault_locked", "message": "m", "next": "n"}, "vault_locked"),
        ("nonsense", "protocol_error"),
        (
            {"code": -32000, "data": {names.META_ERROR: ValetError("vault_locked").to_json()}},
            "vault_locked",
        ),
    ],
)
def test_every_error_becomes_one_of_ours(error: Any, code: str) -> None:
    """No traceback of the protocol reaches a person. -32042 is forbidden in 2026-07-28 (ES-11)."""
    found = mcp.to_error(error, CALL)
    assert isinstance(found, ValetError)
    assert found.code == code
    assert "\n" not in str(found)


def test_a_refused_state_is_told_apart() -> None:
    """It means: begin anew."""
    error = {"code": -32602, "data": {"reason": "invalid_request_state"}}
    assert isinstance(mcp.to_error(error, CALL), StateRefused)


def test_the_brokers_own_error_in_a_tool_result_is_used() -> None:
    """Its text is the fixed text of the wire."""
    error = ValetError("scope_missing", scopes="issues:write", provider="Demo")
    reply = {"isError": True, "_meta": {names.META_ERROR: error.to_json()}, "content": []}
    found = mcp.tool_error(reply)
    assert found is not None
    assert (found.code, str(found)) == ("scope_missing", str(error))


def test_another_tools_error_text_is_shown_on_one_line() -> None:
    """Text of a tool is text, without control characters."""
    found = mcp.tool_error({"isError": True, "content": [{"type": "text", "text": "a\n\x1b[31mb"}]})
    assert found is not None
    assert found.code == "tool_failed"
    assert "\x1b" not in str(found)


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "elicitation/create", "params": {"message": "m", "url": "https://a.example/"}},
        {
            "method": "elicitation/create",
            "params": {"mode": "form", "message": "m", "requestedSchema": {}},
        },
        {"method": "sampling/createMessage", "params": {}},
        {"method": "roots/list"},
        {"method": "elicitation/create", "params": {"mode": "url", "message": "m"}},
        {"method": "elicitation/create", "params": {"mode": "url", "url": "https://a.example/"}},
        {"method": "elicitation/create"},
        None,
    ],
)
def test_what_was_not_declared_is_refused(request_: Any) -> None:
    """EC-03 (no mode means form), EC-08."""
    reply = {"resultType": "input_required", "inputRequests": {"k": request_}}
    with pytest.raises(ValetError) as error:
        mcp.questions(reply)
    assert error.value.code == "protocol_error"


@pytest.mark.parametrize(
    "reply", [{}, {"inputRequests": {}}, {"inputRequests": []}, {"requestState": 1}]
)
def test_an_input_request_without_content_is_refused(reply: dict[str, Any]) -> None:
    """MS-03: at least one of the two."""
    with pytest.raises(ValetError):
        mcp.questions(reply)


def test_declared_parameter_headers_are_sent() -> None:
    """MC-06: `Mcp-Param-*`, nested properties included."""
    schema = {
        "properties": {
            "title": {"type": "string", "x-mcp-header": "Title"},
            "deep": {"properties": {"flag": {"type": "boolean", "x-mcp-header": "Flag"}}},
            "none": {"type": "integer", "x-mcp-header": "None"},
        }
    }
    found = param_headers.declared(schema)
    assert found is not None
    headers = param_headers.headers(found, {"title": "\u00e4", "deep": {"flag": True}})
    assert headers == {"Mcp-Param-Title": "=?base64?w6Q=?=", "Mcp-Param-Flag": "true"}


@pytest.mark.parametrize(
    "schema",
    [
        {"x-mcp-header": "Root"},
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": ["string"], "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "a b"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": ""}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": 1}}},
        {"properties": {"a": {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}}},
        {"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]},
        {
            "properties": {
                "a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"},
            }
        },
    ],
)
def test_invalid_parameter_headers_are_noticed(schema: dict[str, Any]) -> None:
    """MC-06: such tools are dropped."""
    assert param_headers.declared(schema) is None
