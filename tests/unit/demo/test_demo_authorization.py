"""The demo provider's authorization endpoint, as a pure function (RFC 6749 §4.1, RFC 9207)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from jupyter_valet.demo import authorization, pkce
from jupyter_valet.demo.clients import VALET

REDIRECT = "http://127.0.0.1:8888/user/jane/valet/callback/demo"
VERIFIER = "v" * 43


def query(**changes: str | list[str] | None) -> dict[str, list[str]]:
    values: dict[str, str | list[str] | None] = {
        "response_type": "code",
        "client_id": "jupyter-valet-demo",
        "redirect_uri": REDIRECT,
        "scope": "profile issues:read",
        "state": "s" * 20,
        "code_challenge": pkce.challenge(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    return {k: v if isinstance(v, list) else [v] for k, v in values.items() if v is not None}


def refused(**changes: str | list[str] | None) -> str:
    with pytest.raises(authorization.RefusedByRedirect) as caught:
        authorization.check(query(**changes))
    return caught.value.error.code


def test_a_complete_request_is_taken() -> None:
    asked = authorization.check(query())
    assert asked.scopes == {"profile", "issues:read"}
    assert asked.redirect_uri == REDIRECT


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:1/valet/callback/demo",
        "http://[::1]:8888/valet/callback/demo",
        "http://localhost:8888/a%40b/valet/callback/demo",
    ],
)
def test_loopback_redirects_may_vary_their_port_and_base_url(uri: str) -> None:
    """RFC 8252 §7.3."""
    assert VALET.may_redirect_to(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://127.0.0.1:8888/valet/callback/demo",
        "http://evil.example/valet/callback/demo",
        "http://127.0.0.1.evil.example/valet/callback/demo",
        "http://user@127.0.0.1/valet/callback/demo",
        "http://127.0.0.1:99999/valet/callback/demo",
        "http://127.0.0.1:8888/valet/callback/github",
        "http://127.0.0.1:8888/valet/callback/demo?next=x",
        "http://127.0.0.1:8888/valet/callback/demo#x",
        "http://127.0.0.1:8888/x/../valet/callback/demo",
        "http://127.0.0.1:8888\\@evil.example/valet/callback/demo",
        "javascript:alert(1)//valet/callback/demo",
    ],
)
def test_any_other_redirect_is_refused_on_the_page(uri: str) -> None:
    """RFC 6749 §4.1.2.1: nothing is sent to an address that is not registered."""
    with pytest.raises(authorization.RefusedOnPage):
        authorization.check(query(redirect_uri=uri))


def test_an_unknown_client_is_refused_on_the_page() -> None:
    with pytest.raises(authorization.RefusedOnPage):
        authorization.check(query(client_id="somebody"))


def test_two_redirect_uris_are_refused_on_the_page() -> None:
    with pytest.raises(authorization.RefusedOnPage):
        authorization.check(query(redirect_uri=[REDIRECT, REDIRECT]))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "issues:delete"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"state": ["a", "b"]}, "invalid_request"),
        ({"prompt": "none"}, "interaction_required"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_answered_at_the_redirect_uri(
    changes: dict[str, str | list[str] | None], code: str
) -> None:
    """RFC 6749 §4.1.2.1, RFC 7636 §4.4.1, RFC 9700 §2.1.1 (no plain)."""
    assert refused(**changes) == code


def test_every_answer_names_its_issuer() -> None:
    """RFC 9207 §2: errors too."""
    with pytest.raises(authorization.RefusedByRedirect) as caught:
        authorization.check(query(response_type="token"))
    url = authorization.refusal(caught.value, "http://127.0.0.1:1")
    assert parse_qs(urlsplit(url).query)["iss"] == ["http://127.0.0.1:1"]
    assert parse_qs(urlsplit(url).query)["state"] == ["s" * 20]
