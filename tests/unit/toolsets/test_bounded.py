"""A schema from outside must not stop the broker: its patterns and its references are bounded."""

from __future__ import annotations

import time
from typing import Any

import pytest

from jupyter_valet.broker.toolsets.bounded import MOST_UNFOLDED, unfolded, validator
from jupyter_valet.broker.toolsets.checking import Check
from jupyter_valet.broker.upstream.schema import BadSchema
from jupyter_valet.broker.upstream.tools import _compiled
from jupyter_valet.wire.errors import ValetError

BACK_AND_FORTH = r"(?=(.*)*b)c"


def an_object(**more: Any) -> dict[str, Any]:
    return {"type": "object", **more}


def doubling(steps: int, how: str = "anyOf") -> dict[str, Any]:
    """Return a short schema with two to the power of `steps` parts."""
    twice = [
        {how: [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(steps)
    ]
    defs = {f"d{n}": part for n, part in enumerate([*twice, {"type": "string"}])}
    return an_object(**{"$defs": defs, "properties": {"x": {"$ref": "#/$defs/d0"}}})


def test_a_pattern_that_goes_back_and_forth_stops_nobody() -> None:
    """X15: with the other engine 200,000 letters take a minute, during which nobody is served."""
    check = Check("t", an_object(properties={"x": {"type": "string", "pattern": BACK_AND_FORTH}}))
    began = time.monotonic()
    check({"x": "a" * 200_000})
    assert time.monotonic() - began < 20
    with pytest.raises(ValetError):  # all else is still checked
        check({"x": 7})


def test_other_patterns_are_checked_as_before() -> None:
    found = validator(
        an_object(
            properties={"x": {"pattern": "^[a-z]{1,18}$"}},
            patternProperties={"^n_": {"type": "integer"}},
            additionalProperties=False,
        )
    )
    assert found.is_valid({"x": "abc", "n_a": 1})
    assert not found.is_valid({"x": "A"})
    assert not found.is_valid({"n_a": "1"})
    assert not found.is_valid({"other": 1})


def test_what_a_pattern_that_is_not_checked_would_allow_is_not_refused() -> None:
    names = {r"^(?!x)": {"type": "integer"}}
    found = validator(an_object(patternProperties=names, additionalProperties=False))
    assert found.is_valid({"a": "anything"})


def test_a_property_that_is_called_pattern_is_a_property() -> None:
    found = validator(an_object(properties={"pattern": {"type": "string"}}))
    assert found.is_valid({"pattern": "(?="})
    assert not found.is_valid({"pattern": 1})


@pytest.mark.parametrize("how", ["anyOf", "allOf", "oneOf"])
def test_references_that_double_are_refused_before_they_are_followed(how: str) -> None:
    """X15: thirty lines of a server's schema are a thousand million parts."""
    assert unfolded(doubling(30, how)) > 2**30
    with pytest.raises(ValueError, match="unfolds"):
        validator(doubling(40, how))
    with pytest.raises(BadSchema):
        _compiled(doubling(40, how))
    began = time.monotonic()
    Check("t", doubling(40, how))({"x": 1})  # a document's tool stays usable: its API checks
    assert time.monotonic() - began < 20


def test_anchors_double_as_well() -> None:
    steps = {
        f"d{n}": {"$anchor": f"a{n}", "anyOf": [{"$ref": f"#a{n + 1}"}, {"$ref": f"#a{n + 1}"}]}
        for n in range(30)
    }
    last = {"d30": {"$anchor": "a30", "type": "string"}}
    schema = an_object(**{"$defs": {**steps, **last}, "properties": {"x": {"$ref": "#a0"}}})
    assert unfolded(schema) > MOST_UNFOLDED


def test_a_schema_of_itself_is_no_trouble() -> None:
    """Trees are: what is checked ends."""
    node = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    assert unfolded(node) < 20
    assert validator(node).is_valid({"left": {"right": {}}})
    assert not validator(node).is_valid({"left": {"right": 1}})


def test_another_document_is_not_asked_for() -> None:
    with pytest.raises(ValueError, match="another document"):
        validator(an_object(properties={"x": {"$ref": "https://evil.example/schema"}}))
