"""Token responses are parsed strictly, into secrets, with errors that hold nothing of them."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_valet.broker.oauth import OAuthRefused, Profile, TokenSet, profiles
from jupyter_valet.broker.oauth.rfc6749 import token_set
from jupyter_valet.broker.oauth.strict_json import loads_object
from jupyter_valet.broker.secret import Secret

ASKED = frozenset({"read", "write"})


def _parse(profile: Profile, **answer: Any) -> TokenSet:
    members = {"access_token": "at-secret", "token_type": "Bearer", **answer}
    return token_set(profile, members, asked=ASKED, now=1000.0)


def test_a_token_response_becomes_secrets(profile: Profile) -> None:
    tokens = _parse(profile, refresh_token="rt-secret", expires_in=60, scope="read write")
    assert tokens.access_token == Secret("at-secret")
    assert tokens.refresh_token == Secret("rt-secret")
    assert tokens.expires_at == 1060.0
    assert tokens.scopes == ASKED
    assert "secret" not in repr(tokens)


def test_no_scope_member_means_what_was_asked(profile: Profile) -> None:
    """RFC 6749 §5.1."""
    assert _parse(profile).scopes == ASKED


def test_scopes_that_were_not_granted_are_not_held(profile: Profile) -> None:
    assert _parse(profile, scope="read").scopes == {"read"}
    assert _parse(profile, scope="").scopes == frozenset()


def test_scopes_that_were_not_asked_for_are_set_apart(profile: Profile) -> None:
    """R156: a wider grant is not kept as usable."""
    tokens = _parse(profile, scope="read admin")
    assert tokens.scopes == {"read"}
    assert tokens.extra == {"admin"}


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": ["at-secret"]},
        {"access_token": {"at": "secret"}},
        {"access_token": "at secret"},
        {"access_token": "at-secret\r\nX-Evil: 1"},
        {"access_token": "at-secret\u00e9"},
        {"access_token": "a" * 20_000},
        {"access_token": "jvk_" + "k" * 43},
        {"refresh_token": 7},
        {"refresh_token": "rt secret\n"},
        {"refresh_token": "jvk_" + "k" * 43},
        {"expires_in": True},
        {"expires_in": -1},
        {"expires_in": "soon"},
        {"expires_in": [60]},
        {"scope": 7},
        {"scope": {"read": True}},
        {"scope": ["read", 7]},
        {"scope": 'read "quoted'},
        {"token_type": "mac"},
        {"token_type": "DPoP"},
        {"token_type": None},
        {"token_type": 7},
    ],
)
def test_an_unusable_token_response_is_refused_without_a_word_of_it(
    profile: Profile, changes: dict[str, Any]
) -> None:
    """Security 2.7: an error must not echo the other token of the answer."""
    with pytest.raises(OAuthRefused) as caught:
        _parse(profile, **{"refresh_token": "rt-secret", **changes})
    error = caught.value
    assert "secret" not in f"{error!r} {error} {error.fields} {error.to_json()}"
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("value", "expires_at"),
    [
        (None, None),
        (0, 1000.0),
        ("3600", 4600.0),
        (3600.0, 4600.0),
        (10**20, 1000.0 + 10 * 365 * 86_400),
    ],
)
def test_the_life_of_a_token_is_read_in_the_forms_that_occur(
    profile: Profile, value: Any, expires_at: float | None
) -> None:
    assert _parse(profile, expires_in=value).expires_at == expires_at


def test_infinity_is_capped_and_nan_refused(profile: Profile) -> None:
    assert _parse(profile, expires_in=float("inf")).expires_at == 1000.0 + 10 * 365 * 86_400
    with pytest.raises(OAuthRefused):
        _parse(profile, expires_in=float("nan"))


def test_github_separates_granted_scopes_with_commas() -> None:
    github = profiles({})["github"]
    answer = {"access_token": "gho_x", "token_type": "bearer", "scope": "gist,user"}
    asked = github.normalise({"gist", "user:email"})
    tokens = token_set(github, answer, asked=asked, now=0.0)
    assert tokens.scopes == {"gist", "user:email"}
    assert tokens.expires_at is None


def test_google_returns_long_names_for_short_scopes() -> None:
    google = profiles({})["google"]
    answer = {
        "access_token": "ya29.x",
        "token_type": "Bearer",
        "scope": "openid https://www.googleapis.com/auth/userinfo.email",
    }
    asked = google.normalise({"openid", "email"})
    tokens = token_set(google, answer, asked=asked, now=0.0)
    assert tokens.scopes == {"openid", "email"}
    assert not tokens.extra


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'"x"',
        b"null",
        b'{"access_token": "a", "access_token": "b"}',
        b'{"x": {"y": 1, "y": 2}}',
        b'{"expires_in": NaN}',
        b'{"expires_in": -Infinity}',
        b'{"x": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' * 100_000,
        b"{} {}",
    ],
)
def test_json_that_parsers_disagree_on_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        loads_object(body)


def test_tokens_survive_sealing() -> None:
    tokens = TokenSet(Secret("at"), Secret("rt"), 12.5, frozenset({"b", "a"}))
    assert TokenSet.from_secret(tokens.to_secret()) == tokens
    bare = TokenSet(Secret("at"), None, None, frozenset())
    assert TokenSet.from_secret(bare.to_secret()) == bare
