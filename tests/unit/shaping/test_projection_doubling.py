"""An expression that doubles what is there, again and again, out of nothing."""

from __future__ import annotations

import pytest

from jupyter_valet.broker.shaping import UnusableProjection, projection

_ENDLESS = "|".join(["[@,@]"] * 100)


@pytest.mark.parametrize(
    "expression",
    [_ENDLESS, "|".join(["{a:@,b:@}"] * 90), f"({_ENDLESS[:300]}@) == ({_ENDLESS[:300]}@)"],
    ids=["lists", "objects", "compared"],
)
def test_what_doubles_without_end_is_refused(expression: str) -> None:
    """One call of one kernel would hold up the broker for everybody, for good."""
    with pytest.raises(UnusableProjection, match="asks for too much"):
        projection(expression)([1, 2])


def test_what_is_there_a_few_times_is_not() -> None:
    assert projection("{a: @, b: @}|[@, @]")([1]) == [{"a": [1], "b": [1]}] * 2
