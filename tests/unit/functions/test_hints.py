"""Type hints as JSON Schema, and JSON arguments as what the hints promise."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import jsonschema_rs
import pytest

from jupyter_valet.kernel.functions.hints import Unsupported, kind


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Place:
    name: str
    when: datetime.date
    depth: float = 0.0


class Options(TypedDict, total=False):
    fast: bool


CASES: list[tuple[Any, Any, Any]] = [
    (str, "a", "a"),
    (int, 3, 3),
    (int, 3.0, 3),
    (float, 3, 3.0),
    (bool, True, True),
    (None, None, None),
    (list[int], [1, 2], [1, 2]),
    (Sequence[str], ["a"], ["a"]),
    (set[int], [1, 2], {1, 2}),
    (frozenset[str], ["a"], frozenset({"a"})),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[str, int], ["a", 1], ("a", 1)),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Mapping[str, datetime.date], {"a": "2026-01-02"}, {"a": datetime.date(2026, 1, 2)}),
    (dict, {"a": [1]}, {"a": [1]}),
    (Literal["a", 2], 2, 2),
    (Optional[int], None, None),  # noqa: UP045
    (int | None, 4, 4),
    (Union[int, str], "4", "4"),  # noqa: UP007
    (datetime.date | None, "2026-01-02", datetime.date(2026, 1, 2)),
    (list[datetime.date], ["2026-01-02"], [datetime.date(2026, 1, 2)]),
    (datetime.datetime, "2026-01-02T03:04:05+00:00", datetime.datetime.fromisoformat(
        "2026-01-02T03:04:05+00:00")),
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (uuid.UUID, "0" * 31 + "7", uuid.UUID(int=7)),
    (pathlib.Path, "a/b", pathlib.Path("a/b")),
    (bytes, "aGk=", b"hi"),
    (Colour, "red", Colour.RED),
    (Annotated[int, "how many"], 2, 2),
    (Place, {"name": "x", "when": "2026-01-02"}, Place("x", datetime.date(2026, 1, 2))),
    (Options, {"fast": True}, {"fast": True}),
    (list[Place], [{"name": "x", "when": "2026-01-02"}], [Place("x", datetime.date(2026, 1, 2))]),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "sent", "got"), CASES, ids=[str(i) for i in range(len(CASES))])
def test_what_the_schema_accepts_becomes_what_the_hint_says(hint, sent, got):
    known = kind(hint)
    jsonschema_rs.validator_for(known.schema).validate(sent)
    converted = known.convert(sent)
    assert converted == got
    assert type(converted) is type(got)


@pytest.mark.parametrize(
    ("hint", "sent"),
    [
        (str, 1),
        (int, 1.5),
        (int, True and "1"),
        (list[int], ["a"]),
        (tuple[str, int], ["a"]),
        (Literal["a"], "b"),
        (Colour, "green"),
        (int | None, "x"),
        (Place, {"name": "x"}),
        (Place, {"name": "x", "when": "2026-01-02", "more": 1}),
    ],
)
def test_what_does_not_fit_is_refused_by_the_schema(hint, sent):
    assert not jsonschema_rs.validator_for(kind(hint).schema).is_valid(sent)


@pytest.mark.parametrize("hint", [object, Any, complex, dict[int, str], "later", list[object]])
def test_a_hint_that_json_cannot_satisfy_is_said(hint):
    with pytest.raises(Unsupported):
        kind(hint)


def test_words_in_a_hint_are_the_description():
    assert kind(Annotated[int, "how many"]).schema["description"] == "how many"


def test_a_pydantic_model_is_taken_where_pydantic_is():
    from pydantic import BaseModel

    class Model(BaseModel):
        n: int

    known = kind(Model)
    assert known.convert({"n": 1}) == Model(n=1)
    assert known.schema["properties"]["n"]["type"] == "integer"
