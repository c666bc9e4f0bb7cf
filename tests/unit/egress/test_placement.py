"""Where a key goes, and that nothing else is there."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from jupyter_valet.broker.egress import Request, inject
from jupyter_valet.broker.egress.origin import Origin
from jupyter_valet.broker.egress.placement import BEARER, Placement
from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret

API = Origin.parse("https://api.example")
KEY = "k3y_9fK2-Zq7Lw+8Xv/3Tn=5Rb&1Yc"


def sent(placement: Placement, target: str = "/v1", **headers: str) -> tuple[str, dict[str, str]]:
    found, lines = inject.into(Request("GET", API, target, headers), placement, Secret(KEY))
    return API.url(found), lines


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        (BEARER, {"Authorization": f"Bearer {KEY}"}),
        (Placement("header", "Authorization", "Token "), {"Authorization": f"Token {KEY}"}),
        (Placement("header", "X-Api-Key", ""), {"X-Api-Key": KEY}),
        (
            Placement("basic", user="api"),
            {"Authorization": "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()},
        ),
    ],
)
def test_a_key_in_a_header(placement: Placement, expected: dict[str, str]) -> None:
    """RFC 6750 §2.1, RFC 7617 §2, and what APIs do besides."""
    assert sent(placement) == ("https://api.example/v1", expected)


def test_a_key_in_the_query_is_encoded_and_alone() -> None:
    """A parameter of the same name gives way: a server might believe the first."""
    url, headers = sent(Placement("query", "key", ""), "/v1?a=b%26c&key=mine&key=x")
    assert url == ("https://api.example/v1?a=b%26c&key=k3y_9fK2-Zq7Lw%2B8Xv%2F3Tn%3D5Rb%261Yc")
    assert headers == {}


def test_a_header_of_the_same_name_gives_way() -> None:
    """R122: nobody else's identity goes along."""
    _, headers = sent(Placement("header", "X-Api-Key", ""), **{"x-api-key": "mine", "X-B": "c"})
    assert headers == {"X-Api-Key": KEY, "X-B": "c"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("header", "Host", ""),
        ("header", "cookie", ""),
        ("header", "Content-Length", ""),
        ("header", "Transfer-Encoding", ""),
        ("header", "X Key", ""),
        ("header", "X-Key\r\nA", ""),
        ("header", "", ""),
        ("header", "X-Key", "a\r\nb "),
        ("query", "a&b", ""),
        ("query", "", ""),
        ("basic", "Authorization", "", "a:b"),
        ("basic", "Authorization", "", "a\r\nb"),
    ],
)
def test_what_is_no_place_for_a_credential_is_refused(arguments: Any) -> None:
    """R126, R128: the configuration is input."""
    with pytest.raises(ValueError, match="no place"):
        Placement(*arguments)


def test_a_fake_has_the_shape_and_not_the_value() -> None:
    """Letters for letters, digits for digits, never too short to be told from chance."""
    made = reveal(inject.fake(Secret(KEY)))
    assert len(made) >= 32
    assert made != KEY
    assert all(
        (a.isdigit(), a.islower(), a.isupper()) == (b.isdigit(), b.islower(), b.isupper())
        for a, b in zip(KEY, made, strict=False)
    )
    assert [c for c in made if not c.isalnum()] == [c for c in KEY if not c.isalnum()]
    assert reveal(inject.fake()) != reveal(inject.fake())
    assert len(reveal(inject.fake(Secret("1")))) >= 32


def test_a_short_key_is_recognised_in_the_pair_that_was_sent() -> None:
    """R99: base64 of a short key alone would match by chance; the whole pair does not."""
    watches = inject.Watches()
    reflection = watches.of("here", Secret("s3cret"), Placement("basic", user="jane"))
    assert reflection.found_in(b'{"authorization": "Basic amFuZTpzM2NyZXQ="}')
    assert not reflection.found_in(b'{"authorization": "Basic amFuZTpvdGhlcg=="}')
