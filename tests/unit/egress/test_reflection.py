"""Whole-token recognition: every usual encoding is found, and chance is not."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable

import pytest

from jupyter_valet.broker.egress.reflection import Reflection

TOKEN = b"gho_16C7e42F-292c6912E7710c.838347Ae178B4a"
LETTERS = string.ascii_letters + string.digits + "-_.~+/="

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "verbatim": lambda t: t,
    "upper": bytes.upper,
    "reversed": lambda t: t[::-1],
    "hex": lambda t: t.hex().encode(),
    "base64": base64.b64encode,
    "base64 +1": lambda t: base64.b64encode(b"k" + t + b"zz"),
    "base64 +2": lambda t: base64.b64encode(b"kk" + t + b"z"),
    "urlsafe": lambda t: base64.urlsafe_b64encode(b"Bearer " + t),
    "base32": lambda t: base64.b32encode(b"ab" + t),
    "percent": lambda t: "".join(f"%{b:02x}" for b in t).encode(),
    "entities": lambda t: "".join(f"&#x{b:x};" for b in t).encode(),
    "decimal entities": lambda t: "".join(f"&#{b};" for b in t).encode(),
    "u": lambda t: "".join(f"\\u{b:04X}" for b in t).encode(),
    "u braces": lambda t: "".join(f"\\u{{{b:x}}}" for b in t).encode(),
    "x": lambda t: "".join(f"\\x{b:02x}" for b in t).encode(),
    "spaces": lambda t: b" ".join(bytes([b]) for b in t),
    "lines": lambda t: b"\r\n".join(bytes([b]) for b in t),
    "codes": lambda t: str(list(t)).encode(),
    "utf-16": lambda t: t.decode().encode("utf-16"),
    "percent of entities": lambda t: "".join(f"%26%23{b}%3B" for b in t).encode(),
    "percent of base64": lambda t: base64.b64encode(t).replace(b"=", b"%3D").replace(b"+", b"%2B"),
}


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
