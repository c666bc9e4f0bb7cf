"""Tools as data: well-formed, within their provider's origins, and strict about arguments."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from jupyter_valet.broker.egress import build
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.oauth import profiles
from jupyter_valet.broker.toolsets import Operation, Parameter, Tool, Toolset, toolsets
from jupyter_valet.wire.errors import ValetError

KNOWN = profiles({}, "http://127.0.0.1:9")
TOOLS = [Tool(ts, operation) for ts in toolsets(KNOWN) for operation in ts.operations]
EVERY = pytest.mark.parametrize("tool", TOOLS, ids=[tool.name for tool in TOOLS])
ORIGIN = Origin.parse("https://api.example")


@EVERY
def test_the_schema_is_a_schema(tool: Tool) -> None:
    """JSON Schema 2020-12, and closed."""
    assert jsonschema_rs.meta.is_valid(tool.input_schema)
    assert tool.input_schema["additionalProperties"] is False


@EVERY
def test_the_credential_stays_within_the_profile(tool: Tool) -> None:
    """L4: the list that injects is the list that allows."""
    assert tool.source.origin_of(tool.operation) in KNOWN[tool.provider].origins


@EVERY
def test_every_scope_has_words(tool: Tool) -> None:
    """The card never shows a bare scope name for a tool of ours."""
    profile = KNOWN[tool.provider]
    assert all(profile.words(scope) != scope for scope in tool.operation.scopes)


def _sample(schema: Any) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [_sample(schema["items"])]
    samples = {"integer": 1, "object": {"dateTime": "now"}}
    return samples.get(schema.get("type", ""), "x")


@EVERY
def test_a_request_can_be_built(tool: Tool) -> None:
    """From the required arguments alone."""
    given = {p.name: _sample(p.schema) for p in tool.operation.parameters if p.required}
    tool.check(given)
    request = build(tool.source, tool.operation, given)
    assert request.target.startswith("/")
    assert (request.body is not None) == (tool.operation.access == "write")


@EVERY
def test_names_fit_every_framework(tool: Tool) -> None:
    """64 characters of letters, digits and underscore is what all models' APIs take."""
    assert len(tool.name) <= 64
    assert tool.name.replace("_", "").isalnum()


def test_a_provider_that_is_not_there_has_no_tools() -> None:
    """No demo without its issuer."""
    assert {ts.name for ts in toolsets(profiles({}))} == {
        "github",
        "google",
        "huggingface",
        "slack",
    }


def test_an_operation_off_the_profile_is_left_out() -> None:
    """L4, L5."""
    from dataclasses import replace

    narrow = replace(KNOWN["google"], origins=(Origin.parse("https://www.googleapis.com"),))
    (google,) = (t for t in toolsets({"google": narrow}) if t.name == "google")
    assert "userinfo" not in {operation.name for operation in google.operations}


@pytest.mark.parametrize("path", ["/a/{b}", "/a/{project}/{project2}"])
def test_a_path_and_its_parameters_must_agree(path: str) -> None:
    """A template that would keep a placeholder is refused when it is written."""
    parameter = Parameter("project", "path", {"type": "string"}, "", required=True)
    with pytest.raises(ValueError, match="does not fit its path"):
        Operation("get", "", "GET", path, (parameter,))


def test_two_operations_of_one_name_are_refused() -> None:
    """One name, one tool."""
    operation = Operation("get", "", "GET", "/")
    with pytest.raises(ValueError, match="well-formed"):
        Toolset("x", "", "x", ORIGIN, (operation, operation))


WORDS = Tool(
    Toolset(
        "x",
        "X",
        "x",
        ORIGIN,
        (
            Operation(
                "get",
                "",
                "GET",
                "/",
                (
                    Parameter("a", "query", {"type": "integer", "minimum": 2}, "", required=True),
                    Parameter("b", "query", {"enum": ["p", "q"]}, ""),
                    Parameter("c", "query", {"type": "array", "items": {"type": "string"}}, ""),
                    Parameter("d", "query", {"type": "string", "maxLength": 3}, ""),
                ),
            ),
        ),
    ),
    Operation("get", "", "GET", "/"),
)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "a is missing"),
        ({"a": "SECRET"}, "a must be of type integer"),
        ({"a": 1}, "a must be at least 2"),
        ({"a": 2, "b": "SECRET"}, "b must be one of p, q"),
        ({"a": 2, "c": ["x", 7]}, "c must be of type string"),
        ({"a": 2, "d": "SECRET"}, "d must have at most 3 characters"),
        ({"a": 2, "SECRET": 1}, "it takes only a, b, c, d"),
        ({"a": True}, "a must be of type integer"),
    ],
)
def test_a_wrong_argument_is_named_and_not_echoed(arguments: dict[str, Any], words: str) -> None:
    """Fixed words around our own names."""
    tool = Tool(WORDS.source, WORDS.source.operations[0])
    with pytest.raises(ValetError) as caught:
        tool.check(arguments)
    assert caught.value.message == f"x_get: {words}."
    assert "SECRET" not in str(caught.value)
