"""Whose account it is, from the provider's identity answer (OpenID Connect Core §5.3.2, L26)."""

from __future__ import annotations

import unicodedata
from typing import Any

from .errors import OAuthRefused
from .profile import Profile
from .records import Account

_MAX_ID = 255  # OpenID Connect Core §2: sub
_MAX_LABEL = 100


def account(profile: Profile, answer: dict[str, Any]) -> Account:
    """Return the account that `answer` describes.

    Raises `OAuthRefused` when there is no id: an account that nobody can name is never stored
    (L12). The label is for showing only, so what could disguise it is taken out.
    """
    key = _text(answer.get(profile.identity.id))
    if not key or len(key) > _MAX_ID:
        raise OAuthRefused(profile.title, "bad_account")
    labels = (_shown(_text(answer.get(name))) for name in profile.identity.label)
    return Account(id=key, label=next(filter(None, labels), _shown(key) or key))


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _shown(text: str) -> str:
    """Drop control, format (bidi overrides) and private characters, and cut what is too long."""
    kept = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())[:_MAX_LABEL]
