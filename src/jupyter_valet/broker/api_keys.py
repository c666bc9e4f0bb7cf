"""What a person types into the API-key form: a key, and whose it is.

The key is read from the form into a `Secret` here and nowhere else; no error names a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..wire.errors import ValetError
from .egress.placement import is_user
from .oauth import Account, Profile, TokenSet
from .secret import Secret

LONGEST_KEY = 4096
"""Characters of a key; the longest that are in use (signed tokens) have about half of that."""

LONGEST_LABEL = 100

UNNAMED = "API key"
"""The account of a key that nobody gave a name."""

_KEY = re.compile(r"[\x21-\x7e]+", re.ASCII)


def typed(profile: Profile, form: Mapping[str, str]) -> tuple[TokenSet, Account]:
    """Return the key in `form` as a credential without end, and the account it is for.

    Two keys under one name are one account, so typing a new key replaces the old one. Raises
    `ValetError("key_refused")`.
    """
    key = form.get("api_key", "").strip()
    _check(key)
    label = form.get("label", "").strip()
    _check_label(label, user=user_is_typed(profile))
    account = Account(id=label or UNNAMED, label=label or UNNAMED)
    tokens = TokenSet(
        access_token=Secret(key),
        refresh_token=None,
        expires_at=None,
        scopes=frozenset(),
        token_type="ApiKey",  # noqa: S106 - the name of a type
    )
    return tokens, account


def user_is_typed(profile: Profile) -> bool:
    """Whether the label is HTTP Basic's user name, which the configuration leaves open."""
    return profile.placement.where == "basic" and not profile.placement.user


def _check(key: str) -> None:
    if not key:
        raise _refused("the key is missing")
    if len(key) > LONGEST_KEY:
        raise _refused(f"the key has more than {LONGEST_KEY:,} characters")
    if any(character.isspace() for character in key):
        raise _refused("there is a space or a line break inside the key")
    if not _KEY.fullmatch(key):
        raise _refused("the key has characters that are not plain ASCII")


def _check_label(label: str, *, user: bool) -> None:
    if user and not is_user(label):
        raise _refused("the user name is missing, or has a colon in it")
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise _refused(f"the name is not a line of at most {LONGEST_LABEL} characters")


def _refused(what: str) -> ValetError:
    return ValetError("key_refused", what=what)
