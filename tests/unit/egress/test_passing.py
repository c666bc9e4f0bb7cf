"""A body on its way: what would be found in the whole is found, before enough of it has left."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_forms import FORMS, TOKEN, others

from jupyter_valet.broker.egress.passing import _MOST_HELD, Found, Passing
from jupyter_valet.broker.egress.reflection import Reflection
from jupyter_valet.broker.egress.unescaping import Layer, unescape


def pieces(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    while data:
        size = next(sizes)
        yield data[:size]
        data = data[size:]


def always(size: int) -> Iterator[int]:
    while True:
        yield size


def passed(reflection: Reflection, parts: Iterator[bytes]) -> tuple[bytes, bool]:
    """Return what left, and whether the credential was found."""
    passing, left = Passing(reflection), bytearray()
    try:
        for part in parts:
            left += passing.feed(part)
        left += passing.end()
    except Found:
        return bytes(left), True
    return bytes(left), False


def begun(left: bytes, form: bytes) -> int:
    """Return how much of `form` stands at the end of `left`."""
    return max(n for n in range(len(form) + 1) if left.endswith(form[:n]))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 41, 64, 1000])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_no_form_of_the_credential_leaves(form: Callable[[bytes], bytes], size: int) -> None:
    """R93–R108: however the body is cut, it breaks off before the form has told anything.

    Forty letters are a credential; five of them are not.
    """
    written = form(TOKEN)
    body = b'{"before": "' + b"x" * 50 + b'", "a": "' + written + b'"} tail' + b"y" * 5000
    left, found = passed(Reflection(TOKEN), pieces(body, always(size)))
    assert found
    five = max(5 * -(-len(written) // len(TOKEN)), len(form(TOKEN[:5])))
    other = form(bytes(b ^ 1 for b in TOKEN))
    around = next(n for n, (a, b) in enumerate(zip(written, other, strict=False)) if a != b)
    assert begun(left, written) - around <= five


@pytest.mark.parametrize("form", ["&#{:05000d};", "&#x{:05000x};", "\\u{{{:05000x}}}"])
def test_zeros_before_a_number_say_nothing(form: str) -> None:
    """However many: no escape is kept that long, and Python reads no decimal that long."""
    written = "".join(form.format(byte) for byte in TOKEN).encode()
    assert Reflection(TOKEN).found_in(written)
    assert passed(Reflection(TOKEN), pieces(written, always(700)))[1]


def test_what_is_found_in_the_whole_is_found_in_pieces() -> None:
    """One to three encoders, one after the other, that escape what is no letter."""
    chance, escapes = random.Random(17), ["%%%02X", "&#%d;", "&#x%x;", "\\u%04x", "\\x%02x"]
    for _ in range(300):
        token = base64.b64encode(chance.randbytes(chance.randrange(15, 60)))
        written = token[:5] + b"+/-_.~"[chance.randrange(6) :] + token[5:]
        reflection = Reflection(written)
        for escape in chance.choices(escapes, k=chance.randrange(1, 4)):
            written = others(written, escape)
        body = b"a line\n" + written + b" tail" + b"z" * 300
        assert reflection.found_in(body)
        assert passed(reflection, pieces(body, always(chance.randrange(1, 50))))[1], body


def test_the_last_letter_alone_in_a_piece_tells_nobody_the_others() -> None:
    """R142: who can guess one letter must not be given the rest."""
    parts = iter([b"[" + TOKEN[:-1], TOKEN[-1:] + b"]"])
    assert passed(Reflection(TOKEN), parts) == (b"", True)


@pytest.mark.parametrize(
    "form",
    [lambda t: t, lambda t: t[::-1], base64.b64encode, lambda t: base64.b64encode(t[::-1])],
    ids=["as it is", "reversed", "base64", "reversed base64"],
)
def test_an_upstream_that_says_what_a_caller_guesses_confirms_a_third_at_most(
    form: Callable[[bytes], bytes],
) -> None:
    """R142: a piece that waits says that its end begins the credential, so guesses would add up.

    Nothing of it was ever echoed: the text is a file of the caller's own, at the same host. With a
    third from either end the rest is still a secret; and whoever got so far is found.
    """
    token = TOKEN.translate(None, b"_-.")
    confirmed = 0
    for length in range(1, len(token)):
        guess = form(token)[:length]
        try:
            waits = not Passing(Reflection(token)).feed(b"a line of a file\n" + guess)
        except Found:
            break
        confirmed = length if waits else confirmed
    else:
        pytest.fail("it was never found")
    assert confirmed <= -(-len(form(token)) // 3)


@pytest.mark.parametrize("padding", [b" " * 3_000, b"\0" * 30_000], ids=["spaces", "zeros"])
def test_letters_far_apart_are_one_credential(padding: bytes) -> None:
    """R107: what is between the letters counts for nothing, however much it is."""
    body = padding.join(bytes([b]) for b in TOKEN)
    left, found = passed(Reflection(TOKEN), pieces(body, always(8_192)))
    assert found
    assert len(left.replace(padding[:1], b"")) <= 4


@pytest.mark.parametrize("size", [1, 3, 1000, 65536])
def test_another_body_passes_unchanged(size: int) -> None:
    """Also one that begins the credential again and again, and holds escapes of every kind."""
    chance = random.Random(5)
    body = b"".join(
        chance.choice([TOKEN[: chance.randrange(12)], b"\\u00", b"%4", b"&#1", b"&amp;", b"x\n"])
        for _ in range(1500)
    )
    assert passed(Reflection(TOKEN), pieces(body, always(size))) == (body, False)


def test_a_part_at_the_very_end_is_not_the_credential() -> None:
    """R141: what is known of every credential of its kind (`gho_`) is in honest bodies, too."""
    assert passed(Reflection(TOKEN), iter([TOKEN[:12]])) == (TOKEN[:12], False)


def test_what_waits_without_end_is_withheld() -> None:
    """A beginning with megabytes of nothing behind it does not fill the memory."""
    reflection = Reflection(TOKEN)
    parts = pieces(TOKEN[:20] + bytes(2 * _MOST_HELD), always(65536))
    left, found = passed(reflection, parts)
    assert found
    assert left == b""
    chance = TOKEN[:6] + bytes(2 * _MOST_HELD) + b"other"
    assert passed(reflection, pieces(chance, always(65536))) == (chance, False)


def test_nothing_waits_that_begins_nothing() -> None:
    """A stream of events is passed on event by event."""
    passing = Passing(Reflection(TOKEN))
    assert passing.feed(b"data: hello\n\n") == b"data: hello\n\n"
    assert passing.feed(b"data: 100%\n\n") == b"data: 100%\n\n"


@pytest.mark.parametrize("token", [b"abc", b"k-1", b"-----"])
def test_a_short_key_is_looked_for_as_it_is(token: bytes) -> None:
    """As in a whole body."""
    assert passed(Reflection(token), pieces(b"x" + token + b"y", always(1)))[1]
    assert passed(Reflection(token), pieces(b"A B C nothing here 9", always(1)))[1] is False


TEXT = st.lists(
    st.sampled_from(
        rb"&#x41; &#65 &amp; %41 %2541 % & \ \u0041 \x41 \101 a ; &# u00 41 lt; nbsp".split()
    ),
    max_size=40,
).map(b"".join)


@given(TEXT, st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_a_text_in_pieces_is_unescaped_as_a_whole_one(text: bytes, sizes: list[int]) -> None:
    """Escapes that are cut are put together."""
    layer, undone, rest = Layer(), b"", text
    for size in sizes:
        undone += layer.feed(rest[:size])
        rest = rest[size:]
    undone += layer.feed(rest, last=True)
    assert ascii_of(undone) == ascii_of(unescape(text))


def ascii_of(data: bytes) -> bytes:
    """Leave out what a cut letter of several bytes becomes: nothing looks at it."""
    return bytes(byte for byte in data if byte < 128)
