"""The authorization code grant: the request, the answer in the browser, the answer with tokens.

Pure functions over RFC 6749 §4.1 and §5; who sends what is `client` and `token_endpoint`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]

from ...wire import capability
from ..secret import Secret
from . import rfc9207
from .errors import CallbackRefused, OAuthRefused
from .profile import Profile
from .records import Pending, TokenSet

PENDING_SECONDS = 600.0
"""How long an answer may take (BP-06)."""

_MAX_QUERY = 16_384
_MAX_TOKEN = 16_384
_MAX_LIFE = 10 * 365 * 86_400.0
_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6749 §A.12 without the space: it goes into a header
_CODE = re.compile(r"[\x20-\x7e]+")  # RFC 6749 §A.11
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")  # RFC 6749 §3.3


def authorization_url(
    endpoint: str, *, client_id: str, parameters: Mapping[str, str], extra: Mapping[str, str]
) -> str:
    """Return the URL of §4.1.1; `parameters` are the flow's own and win over `extra`."""
    merged = {**extra, **{name: value for name, value in parameters.items() if value}}
    return str(prepare_grant_uri(endpoint, client_id=client_id, response_type="code", **merged))


def callback_code(profile: Profile, pending: Pending, query: str, now: float) -> Secret:
    """Return the code of §4.1.2, or raise `CallbackRefused`.

    In this order: form, state, time, issuer, error, code; so nothing of an answer is believed
    before it is known to be the answer to this request (R143 … R146, R157, R159).
    """
    answer = _single_parameters(profile, query)
    slug = (
        _state_fault(pending, answer.get("state"))
        or ("state_expired" if now > pending.created_at + PENDING_SECONDS else "")
        or rfc9207.fault(pending.issuer, answer.get("iss"), required=pending.iss_required)
        or ("" if "error" not in answer else answer["error"] or "refused")
    )
    if slug:
        raise CallbackRefused(profile.title, profile.quirks.error_words.get(slug, slug))
    code = answer.get("code", "")
    if not _CODE.fullmatch(code):
        raise CallbackRefused(profile.title, "code_missing")
    return Secret(code)


def _single_parameters(profile: Profile, query: str) -> dict[str, str]:
    """Parse the query; a parameter that comes twice ends it (§3.1, R157)."""
    if len(query) > _MAX_QUERY:
        raise CallbackRefused(profile.title, "malformed")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=64, errors="strict")
    except ValueError:
        raise CallbackRefused(profile.title, "malformed") from None
    answer = dict(pairs)
    if len(answer) != len(pairs):
        raise CallbackRefused(profile.title, "duplicate_parameter")
    return answer


def _state_fault(pending: Pending, state: str | None) -> str:
    if not state:
        return "state_missing"
    same = hmac.compare_digest(state_digest(state), pending.state_digest)
    return "" if same else "state_mismatch"


def state_digest(state: str) -> str:
    """Return what is kept of a state: it proves it later and cannot be turned back into it."""
    return hashlib.sha256(state.encode()).hexdigest()


def token_set(
    profile: Profile, answer: Mapping[str, Any], *, asked: frozenset[str], now: float
) -> TokenSet:
    """Return the tokens of a successful answer (§5.1); `asked` is normalised.

    Raises `OAuthRefused` for tokens that are no strings or could not stand in a header, for
    a type that is not sent as Bearer, and for something that is one of our own kernel capabilities.
    """
    nested = answer.get(profile.quirks.token_member)
    if isinstance(nested, dict) and "access_token" in nested:
        answer = nested
    kind = answer.get("token_type", "bearer")
    if not isinstance(kind, str) or kind.lower() not in ("bearer", *profile.quirks.token_types):
        raise OAuthRefused(profile.title, "bad_token_type")
    access = _token(profile, answer.get("access_token"))
    if access is None:
        raise OAuthRefused(profile.title, "bad_token")
    granted = _granted(profile, answer.get("scope"), asked)
    return TokenSet(
        access_token=access,
        refresh_token=_token(profile, answer.get("refresh_token")),
        expires_at=_expiry(profile, answer.get("expires_in"), now),
        scopes=granted & asked,
        extra=granted - asked,
    )


def _token(profile: Profile, value: Any) -> Secret | None:
    if value is None or value == "":
        return None
    usable = isinstance(value, str) and len(value) <= _MAX_TOKEN and _TOKEN.fullmatch(value)
    if not usable or value.startswith(capability.PREFIX):
        raise OAuthRefused(profile.title, "bad_token")
    return Secret(value)


def _expiry(profile: Profile, value: Any, now: float) -> float | None:
    """Read `expires_in`; some send it as a string of digits, and 0 for "never" is not ours."""
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise OAuthRefused(profile.title, "bad_token")
    return now + min(float(value), _MAX_LIFE)


def _granted(profile: Profile, value: Any, asked: frozenset[str]) -> frozenset[str]:
    """Return the granted scopes, normalised; none named means those asked for (§5.1)."""
    if value is None:
        return asked
    if isinstance(value, str):
        for separator in profile.quirks.granted_scope_separators:
            value = value.replace(separator, " ")
        value = value.split()
    if not isinstance(value, list) or not all(isinstance(s, str) for s in value):
        raise OAuthRefused(profile.title, "bad_token")
    if len(value) > 500 or not all(_SCOPE.fullmatch(scope) for scope in value):
        raise OAuthRefused(profile.title, "bad_token")
    return profile.normalise(value)
