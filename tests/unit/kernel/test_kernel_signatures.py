"""Python signatures from JSON Schemas."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import pytest

from jupyter_valet.kernel.signatures import Parameters, annotation, identifier
from jupyter_valet.wire.errors import ValetError

SCHEMA = {
    "type": "object",
    "properties": {
        "state": {"type": "string", "enum": ["open", "closed"], "default": "open"},
        "repo": {"type": "string", "description": "owner/name"},
        "per-page": {"type": "integer"},
        "from": {"type": ["string", "null"]},
    },
    "required": ["repo"],
}


def test_required_parameters_come_first() -> None:
    """A call may be written as people write calls."""
    assert str(Parameters(SCHEMA).signature) == (
        "(repo: str, state: Literal['open', 'closed'] = 'open', "
        "per_page: int | None = None, from_: str | None = None)"
    )


def test_positional_and_keyword_arguments_reach_their_json_names() -> None:
    """Names that Python cannot write are mapped; the schema's own spelling works as well."""
    parameters = Parameters(SCHEMA)
    assert parameters.arguments("t", ("a/b",), {"per_page": 3}) == {"repo": "a/b", "per-page": 3}
    assert parameters.arguments("t", (), {"repo": "a/b", "per-page": 3, "from": "x"}) == {
        "repo": "a/b",
        "per-page": 3,
        "from": "x",
    }


def test_what_is_not_given_is_not_sent() -> None:
    """The tool's own defaults hold; None means null only where null is allowed."""
    parameters = Parameters(SCHEMA)
    assert parameters.arguments("t", ("a",), {}) == {"repo": "a"}
    assert parameters.arguments("t", ("a",), {"per_page": None}) == {"repo": "a"}
    assert parameters.arguments("t", ("a",), {"from_": None}) == {"repo": "a", "from": None}


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "repo"),
        (("a",), {"rep": 1}, "rep"),
        (("a", "open", 1, "x", "y"), {}, "too many"),
        (("a",), {"repo": "b"}, "multiple values"),
    ],
)
def test_a_wrong_call_is_one_line(args: Any, kwargs: Any, words: str) -> None:
    """Named argument, and where to look."""
    with pytest.raises(ValetError) as error:
        Parameters(SCHEMA).arguments("list_issues", args, kwargs)
    assert error.value.code == "bad_arguments"
    assert words in str(error.value)
    assert "list_issues" in str(error.value)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, str),
        ({"type": "array", "items": {"type": "string"}}, list[str]),
        ({"type": "array"}, list),
        ({"type": "object"}, dict),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, str | None),
        ({"type": ["integer", "string"]}, int | str),
        ({"enum": ["a", 1]}, Literal["a", 1]),
        ({"enum": [{"x": 1}]}, Any),
        ({"type": "no such type"}, Any),
        ({}, Any),
        (True, Any),
        ({"anyOf": []}, Any),
        ({"anyOf": [{}, {"type": "string"}]}, Any),
    ],
)
def test_types_are_shown_as_python_types(schema: Any, expected: Any) -> None:
    """As far as a reader needs it."""
    assert annotation(schema) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a-b", "a_b"), ("class", "class_"), ("1st", "_1st"), ("", "_"), ("a.b/c", "a_b_c")],
)
def test_every_name_becomes_an_identifier(name: str, expected: str) -> None:
    """Whatever an API calls its parameters."""
    assert identifier(name) == expected
    assert identifier(name).isidentifier()


def test_names_that_fall_together_are_kept_apart() -> None:
    """`a-b` and `a_b` are two parameters."""
    parameters = Parameters({"properties": {"a-b": {}, "a_b": {}}})
    assert parameters.arguments("t", (1, 2), {}) == {"a-b": 1, "a_b": 2}


@pytest.mark.parametrize("schema", [{}, {"properties": []}, {"properties": {}, "required": "x"}])
def test_a_schema_without_parameters_has_none(schema: dict[str, Any]) -> None:
    """Odd schemas do not break the list of tools."""
    assert Parameters(schema).signature == inspect.Signature()
