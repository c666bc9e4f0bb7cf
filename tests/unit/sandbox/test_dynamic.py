"""Numbers and places of dynamic ports: always one for one, whatever programs bind and name."""

from __future__ import annotations

import random

import pytest

from jupyter_valet.sandbox.launch.dynamic import DynamicPorts, Place

PLACES = [Place(f"127.70.1.{last}", port) for last in (2, 3) for port in (10080, 6697)]


@pytest.fixture
def ports() -> DynamicPorts:
    return DynamicPorts(PLACES)


def test_a_port_named_by_number_takes_the_place_longest_unused(ports: DynamicPorts) -> None:
    ports.bound(65532, PLACES[0], "127.0.0.1")
    assert ports.to_bind(50000) == [(50000, p) for p in (*PLACES[1:], PLACES[0])]
    ports.bound(50000, PLACES[1], "127.0.0.1")
    assert ports.place(50000) == PLACES[1]
    assert ports.to_bind(50000) == [(50000, PLACES[1])]


def test_a_number_whose_place_was_taken_by_another_name_has_none_any_more(
    ports: DynamicPorts,
) -> None:
    ports.bound(65532, PLACES[0], "127.0.0.1")
    ports.bound(50000, PLACES[0], "127.0.0.1")
    assert ports.place(65532) is None
    assert ports.told(PLACES[0]) == ("127.0.0.1", 50000)


def test_a_number_of_another_place_is_exchanged(ports: DynamicPorts) -> None:
    """A program names 65535, whose place is still unused, and gets the first."""
    ports.bound(65535, PLACES[0], "127.0.0.1")
    assert ports.place(65535) == PLACES[0]
    assert [*ports.to_bind(0)] == [
        (65532, PLACES[3]), (65533, PLACES[1]), (65534, PLACES[2]), (65535, PLACES[0]),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_every_place_has_one_number_after_any_history(ports: DynamicPorts, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        tries = ports.to_bind(chance.choice([0, 0, 50000, 50001, 65532, 65534]))
        number, place = chance.choice(tries)
        ports.bound(number, place, "127.0.0.1")
        assert ports.place(number) == place
        assert ports.told(place) == ("127.0.0.1", number)
        listed = ports.to_bind(0)
        assert listed[-1] == (number, place), "what was used last is tried last"
        assert sorted(place for _, place in listed) == sorted(PLACES)
        assert len({number for number, _ in listed}) == len(PLACES)
