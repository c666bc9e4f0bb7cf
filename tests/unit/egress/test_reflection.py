"""Whole-token recognition: every usual encoding is found, and chance is not."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable

import pytest
from written_forms import FORMS, TOKEN

from jupyter_valet.broker.egress.reflection import Reflection

LETTERS = string.ascii_letters + string.digits + "-_.~+/="


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_form_of_the_token_is_found_wherever_it_stands(form: Callable[[bytes], bytes]) -> None:
    """R93–R107: for tokens of many lengths, anywhere in an answer."""
    chance = random.Random(7)
    for length in range(20, 60):
        token = "".join(chance.choice(LETTERS) for _ in range(length)).encode()
        body = b"x" * (length % 7) + b' {"a": "' + form(token) + b'"} tail'
        assert Reflection(token).found_in(b"{}", body), (length, token)


def test_headers_count_as_well() -> None:
    """R94, R97, R98."""
    assert Reflection(TOKEN).found_in(b"[]", b"Set-Cookie: a=" + TOKEN)


def test_other_answers_pass() -> None:
    """No false alarm on random data of any kind."""
    chance = random.Random(11)
    reflection = Reflection(TOKEN)
    for _ in range(50):
        assert not reflection.found_in(chance.randbytes(20_000), b"Content-Type: text/html")


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_part_of_the_token_is_no_match(cut: int) -> None:
    """R141, R142: whole tokens only, so a caller cannot guess it character by character."""
    assert not Reflection(TOKEN).found_in(TOKEN[:-cut])


@pytest.mark.parametrize(
    "entity", [b"&#" + b"9" * 5000, b"&#x" + b"f" * 5000, b"&#0", b"\\u{ffffff}"]
)
def test_what_is_no_letter_breaks_nothing(entity: bytes) -> None:
    """An upstream may write what it likes: Python reads no decimal of more than 4,300 digits."""
    assert not Reflection(TOKEN).found_in(entity + b";")
    assert Reflection(TOKEN).found_in(entity + b"; " + TOKEN)
    if entity.startswith(b"&#9"):
        assert Reflection(TOKEN).found_in(TOKEN[:9] + entity + b";" + TOKEN[9:])


@pytest.mark.parametrize("secret", [rb"Summer\night&Rain-2024", b"50%41&amp;more-of-it"])
def test_a_secret_that_looks_escaped_itself_is_found(secret: bytes) -> None:
    """What is undone in the text is undone in it, too."""
    written = json.dumps(secret.decode()).replace("&", "\\u0026").replace("-", "\\u002d")
    assert Reflection(secret).found_in(written.encode())
    assert Reflection(secret).found_in(secret)
    assert not Reflection(rb"\n\n\n\n\nkey\n\n\n\n").found_in(b"a key of another kind")


@pytest.mark.parametrize("token", [b"abc", b"-----", b"a"])
def test_a_short_key_is_looked_for_as_it_is(token: bytes) -> None:
    """Reduced to a few letters it would be in every answer."""
    assert Reflection(token).found_in(b"x" + token + b"y")
    assert not Reflection(token).found_in(b"A B C nothing here 9")


def test_it_does_not_show_the_token() -> None:
    """Nor in a traceback."""
    assert "gho" not in repr(Reflection(TOKEN))


def test_a_large_answer_is_checked_in_little_time() -> None:
    """One megabyte of escapes: linear, no backtracking."""
    import time

    started = time.perf_counter()
    Reflection(TOKEN).found_in(b"\\u0041%41&#65;" * 70_000)
    assert time.perf_counter() - started < 3


@pytest.mark.parametrize(
    "token", [b"abcd1234", b"gho_16C7e42F292c6912E7710c838347Ae178B4a", b"Zz-9" * 20]
)
@pytest.mark.parametrize("length", [0, 1, 57, 900, 4000])
def test_a_needle_is_found_wherever_it_stands(token: bytes, length: int) -> None:
    """Most texts are told by pieces of them; none that holds a needle may be told wrongly so."""
    needles = Reflection(token).needles
    for before in range(70):
        for needle in (*needles.exact, *needles.folded):
            text = b"q" * before + needle + b"q" * length
            assert needles.in_letters(text, text.lower())
    assert not needles.in_letters(b"q" * 999, b"q" * 999)
