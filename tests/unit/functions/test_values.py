"""What functions return, as JSON."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from jupyter_valet.kernel.functions.values import NotJson, answer


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Place:
    name: str
    colour: Colour


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, None),
        ("a", "a"),
        (float("nan"), None),
        (float("inf"), None),
        ({1: {2}}, {"1": [2]}),
        ((1, 2), [1, 2]),
        (Place("x", Colour.RED), {"name": "x", "colour": "red"}),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (Decimal("1.1"), "1.1"),
        (Path("a/b"), "a/b"),
        (b"hi", "aGk="),
    ],
)
def test_plain_values_have_their_json(value, json):
    assert answer(value) == (json, [])


def test_tables_and_arrays_come_as_rows():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})
    rows, _ = answer(frame)
    assert rows[0] == {"a": 1, "b": "x"}
    assert answer(frame["a"].to_numpy())[0] == [1, 2]
    assert answer(frame["a"].iloc[0])[0] == 1


def test_a_long_table_says_how_long_it_is():
    pandas = pytest.importorskip("pandas")
    found, _ = answer(pandas.DataFrame({"a": range(1500)}))
    assert (len(found["rows"]), found["total"]) == (1000, 1500)


def test_what_has_no_form_is_named():
    with pytest.raises(NotJson, match="type object"):
        answer([object()])


def test_a_value_that_holds_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(NotJson, match="nested"):
        answer(loop)


def test_a_result_that_is_too_large_is_refused():
    with pytest.raises(NotJson, match="4 MB"):
        answer("x" * 5_000_000)


def test_a_picture_is_a_block():
    class Picture:
        def _repr_png_(self) -> bytes:
            return b"png"

    assert answer(Picture()) == (
        None,
        [{"type": "image", "mimeType": "image/png", "data": "cG5n"}],
    )
