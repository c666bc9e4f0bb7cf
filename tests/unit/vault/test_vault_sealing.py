"""The envelope: what was sealed opens with the same facts and key, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_valet.broker.reveal import reveal_bytes
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault.ledger import Ledger
from jupyter_valet.broker.vault.sealing import Cost, Facts, Kek, Mac, Unsealable, canonical

KEK = Kek(b"k" * 32)
FACTS = Facts("vault", "connection", "one", 1, 7, 1.5, '{"a":1}')

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
facts = st.builds(
    Facts,
    text,
    text,
    text,
    st.integers(0, 2**31),
    st.integers(0, 2**53),
    st.floats(0, 4e9),
    text,
)


@given(facts, st.binary(max_size=2000))
def test_a_seal_opens_with_its_facts(some: Facts, payload: bytes) -> None:
    assert reveal_bytes(KEK.open(some, KEK.seal(some, Secret(payload)))) == payload


@given(facts, facts)
def test_a_seal_opens_with_no_other_facts(some: Facts, other: Facts) -> None:
    """R163-R165: swapped, edited, aged, and from another vault are all the same thing."""
    if some.associated_data() == other.associated_data():
        assert some == other
        return
    with pytest.raises(Unsealable):
        KEK.open(other, KEK.seal(some, Secret("token")))


@given(st.data())
def test_a_seal_with_a_changed_byte_does_not_open(data: st.DataObject) -> None:
    """R166."""
    sealed = bytearray(KEK.seal(FACTS, Secret("token")))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Unsealable):
        KEK.open(FACTS, bytes(sealed))


@given(st.integers(0, 200), st.binary(max_size=8))
def test_a_seal_that_was_cut_or_lengthened_does_not_open(length: int, more: bytes) -> None:
    sealed = KEK.seal(FACTS, Secret("token"))
    if sealed[:length] + more != sealed:
        with pytest.raises(Unsealable):
            KEK.open(FACTS, sealed[:length] + more)


def test_a_seal_does_not_open_with_another_key() -> None:
    with pytest.raises(Unsealable):
        Kek(b"o" * 32).open(FACTS, KEK.seal(FACTS, Secret("token")))


def test_no_two_seals_share_anything() -> None:
    """R176: a fresh data key for every write, so a nonce cannot repeat under one key."""
    seals = [KEK.seal(FACTS, Secret("token")) for _ in range(50)]
    for start, end in ((1, 13), (13, 61), (61, 73), (73, None)):
        assert len({seal[start:end] for seal in seals}) == 50


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (replace(FACTS, kind="a", id="b,c"), replace(FACTS, kind="a,b", id="c")),
        (replace(FACTS, kind='a","b', id="c"), replace(FACTS, kind="a", id='b","c')),
        (replace(FACTS, revision=11, key_version=1), replace(FACTS, revision=1, key_version=11)),
    ],
)
def test_facts_cannot_run_into_each_other(one: Facts, other: Facts) -> None:
    assert one.associated_data() != other.associated_data()


def test_the_three_keys_of_a_version_differ() -> None:
    assert KEK.ledger_key != KEK.witness_key
    assert b"k" * 32 not in (KEK.ledger_key, KEK.witness_key)


def test_canonical_json_does_not_depend_on_order() -> None:
    assert canonical({"b": 1, "a": [1, {"d": 1, "c": 2}]}) == '{"a":[1,{"c":2,"d":1}],"b":1}'


def test_a_mac_is_told_by_its_key() -> None:
    assert Mac(Secret("a")).of(b"x") != Mac(Secret("b")).of(b"x")


@pytest.mark.parametrize(
    ("cost", "enough"),
    [(Cost(), True), (Cost(passes=2), False), (Cost(memory=1024), False), (Cost(lanes=0), False)],
)
def test_a_cheaper_guess_is_not_enough(cost: Cost, enough: bool) -> None:
    assert cost.at_least(Cost()) is enough


@given(st.lists(st.binary(max_size=8)), st.randoms())
def test_a_ledger_depends_on_what_and_not_on_order(items: list[bytes], order) -> None:
    one, other = Ledger(b"key"), Ledger(b"key")
    for item in items:
        one.add(item)
    order.shuffle(items)
    for item in items:
        other.add(item)
    assert one.total() == other.total()
    if items:
        other.remove(items[0])
        assert one.total() != other.total()
        other.add(items[0])
        assert one.total() == other.total()
