"""Accounts are known by the provider's own id (L12, L26), and shown without disguises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_valet.broker.oauth import Account, Identity, OAuthRefused, Profile
from jupyter_valet.broker.oauth.identity import account


def test_an_account_is_known_by_its_id_and_shown_by_its_label(profile: Profile) -> None:
    answer = {"sub": "248289761001", "email": "jane@example.com"}
    assert account(profile, answer) == Account("248289761001", "jane@example.com")


def test_a_numeric_id_is_kept_as_text(profile: Profile) -> None:
    """GitHub's `id`; the login may change, the number does not."""
    github = replace(profile, identity=Identity(id="id", label=("login", "id")))
    assert account(github, {"id": 583231, "login": "octocat"}) == Account("583231", "octocat")


@pytest.mark.parametrize("sub", [None, "", True, 1.5, ["x"], {"x": 1}, "x" * 256])
def test_an_account_without_an_id_is_refused(profile: Profile, sub: Any) -> None:
    """L12: there is no "anonymous"."""
    with pytest.raises(OAuthRefused) as caught:
        account(profile, {"sub": sub, "email": "jane@example.com"})
    assert caught.value.slug == "bad_account"


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("jane\u202egro.live@elpmaxe", "janegro.live@elpmaxe"),
        ("ja\x1b[31mne", "ja[31mne"),
        ("jane\n\nroot", "jane root"),
        ("x" * 500, "x" * 100),
        ("J\u00e4ne D\u014de", "J\u00e4ne D\u014de"),
    ],
)
def test_a_label_is_shown_without_what_could_disguise_it(
    profile: Profile, label: str, shown: str
) -> None:
    found = account(profile, {"sub": "1", "preferred_username": label})
    assert found.label.replace(" ", "") == shown.replace(" ", "")


def test_a_label_that_is_no_text_falls_back_to_the_id(profile: Profile) -> None:
    assert account(profile, {"sub": "abc", "email": ["x"], "name": "\u202e"}).label == "abc"
