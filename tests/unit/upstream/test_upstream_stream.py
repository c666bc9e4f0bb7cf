"""Events are handed on once they are whole and known not to hold the credential."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_valet.broker.egress.reflection import Reflection
from jupyter_valet.broker.upstream.reflecting import WINDOW, Reflected, Sieve, TooLarge

TOKEN = b"cnry_9fK2-Zq7Lw_8Xv3Tn5Rb1Yc6Md0Hp4Gs"


def sieve(event: int = 100_000, total: int | None = None) -> Sieve:
    return Sieve(Reflection(TOKEN), event=event, total=total)


@given(
    st.lists(st.binary(min_size=1, max_size=30), max_size=20),
    st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]),
)
def test_everything_comes_through_in_its_order(parts: list[bytes], boundary: bytes) -> None:
    passing = sieve()
    out = b"".join(passing.feed(part + boundary) for part in parts) + passing.end()
    assert out == b"".join(part + boundary for part in parts)


def test_half_an_event_waits() -> None:
    passing = sieve()
    assert passing.feed(b"data: one\n") == b""
    assert passing.feed(b"\ndata: two") == b"data: one\n\n"
    assert passing.end() == b"data: two"


@pytest.mark.parametrize(
    "hidden", [TOKEN, TOKEN[::-1], TOKEN.hex().encode(), base64.b64encode(b"x" + TOKEN)]
)
def test_an_event_with_the_credential_is_not_handed_on(hidden: bytes) -> None:
    """R93, R99–R103, R108: also when it comes one byte at a time."""
    passing = sieve()
    assert passing.feed(b"data: harmless\n\n") == b"data: harmless\n\n"
    for byte in b"data: " + hidden + b"\n":
        assert passing.feed(bytes([byte])) == b""
    with pytest.raises(Reflected):
        passing.feed(b"\n")


def test_a_credential_over_several_events_is_seen() -> None:
    passing = sieve()
    half = len(TOKEN) // 2
    assert passing.feed(TOKEN[:half] + b"\n\n")
    with pytest.raises(Reflected):
        passing.feed(TOKEN[half:] + b"\n\n")


def test_what_is_left_at_the_end_is_looked_at_too() -> None:
    passing = sieve()
    passing.feed(b"data: " + TOKEN)
    with pytest.raises(Reflected):
        passing.end()


def test_an_event_and_a_stream_have_limits() -> None:
    with pytest.raises(TooLarge):
        sieve(event=100).feed(b"x" * 101)
    limited = sieve(total=100)
    limited.feed(b"x\n\n" * 33)
    with pytest.raises(TooLarge):
        limited.feed(b"x\n\n")


def test_a_long_stream_needs_no_more_memory() -> None:
    passing = sieve()
    for _ in range(200):
        passing.feed(b"data: " + b"word " * 400 + b"\n\n")
    assert len(passing._before) <= WINDOW


def test_a_server_without_a_credential_has_nothing_to_hide() -> None:
    open_door = Sieve(None, event=1000, total=None)
    assert open_door.feed(TOKEN + b"\n\n") == TOKEN + b"\n\n"
