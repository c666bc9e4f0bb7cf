"""A provider of the person's own, read from the configuration (docs/providers.md).

The file may be written by anyone who may write the person's files, so it is checked like any
input, and a change of where secrets go ends what was stored for it (`Profile.fingerprint`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ....wire.errors import ValetError
from ...egress.origin import Origin, split_url
from ..profile import Identity, Profile, Quirks

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")  # RFC 6749 §3.3
_PARAMETER = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)
_RESERVED = frozenset(
    {
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "grant_type",
        "login_hint",
        "redirect_uri",
        "refresh_token",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)
"""Parameters of the protocol itself: a configuration that set one would change what is checked."""

_TOKEN_AUTH = {"client_secret_post", "client_secret_basic", "none"}
_SEPARATORS = {" ", ","}

_OIDC_WORDS = {
    "openid": "Know who you are",
    "profile": "See your name and picture",
    "email": "See your email address",
    "offline_access": "Stay signed in",
}


def configured(name: str, entry: Mapping[str, Any]) -> Profile:
    """Return the profile that `entry` describes; an issuer URL is enough.

    Raises `ValetError("bad_request")` naming the provider and the setting that is wrong.
    """
    if not _NAME.fullmatch(name):
        raise _wrong("?", "name")
    unknown = set(entry) - _READERS.keys()
    if unknown:
        raise _wrong(name, min(unknown) if _PARAMETER.fullmatch(min(unknown)) else "setting")
    read = {key: _read(name, key, entry[key]) for key in entry}
    issuer = read.get("issuer") or _wrong_raise(name, "issuer")
    loopback = read.get("loopback", False)
    for key in _URLS & read.keys():
        if split_url(read[key])[0].loopback != loopback:
            raise _wrong(name, "loopback")
    origins = read.get("origins") or (split_url(issuer)[0],)
    if any(origin.loopback != loopback for origin in origins):
        raise _wrong(name, "loopback")
    if bool(read.get("authorization_endpoint")) != bool(read.get("token_endpoint")):
        raise _wrong(name, "token_endpoint")
    return _profile(name, issuer, origins, loopback, read)


def _profile(
    name: str, issuer: str, origins: tuple[Origin, ...], loopback: bool, read: dict[str, Any]
) -> Profile:
    openid = not read.get("authorization_endpoint")
    separator = read.get("scope_separator", " ")
    return Profile(
        name=name,
        title=read.get("title", name),
        issuer=issuer,
        origins=origins,
        loopback=loopback,
        authorization_endpoint=read.get("authorization_endpoint", ""),
        token_endpoint=read.get("token_endpoint", ""),
        userinfo_endpoint=read.get("userinfo_endpoint", ""),
        revocation_endpoint=read.get("revocation_endpoint", ""),
        identity=Identity(
            id=read.get("account_id", Identity.id),
            label=(*read.get("account_label", Identity.label), read.get("account_id", "sub")),
        ),
        identity_scopes=read.get("identity_scopes", ("openid",) if openid else ()),
        default_scopes=read.get("scopes", ("openid", "profile") if openid else ()),
        scope_words={**_OIDC_WORDS, **read.get("scope_words", {})},
        scope_separator=separator,
        token_auth=read.get("token_auth", ""),
        public_client_id=read.get("client_id", ""),
        authorize_params=read.get("authorize_params", {}),
        token_params=read.get("token_params", {}),
        register_url=read.get("register_url", ""),
        quirks=Quirks(
            granted_scope_separators=" ,"[: 1 if separator == " " else 2],
            offline_scope="offline_access" if openid else "",
            iss="required" if read.get("iss_required") else "if_present",
        ),
        configured=True,
    )


def _read(name: str, key: str, value: Any) -> Any:
    try:
        return _READERS[key](value)
    except (ValueError, TypeError, AttributeError):
        raise _wrong(name, key) from None


def _wrong(name: str, key: str) -> ValetError:
    return ValetError("bad_request", what=f"setting {key} of provider {name}")


def _wrong_raise(name: str, key: str) -> str:
    raise _wrong(name, key)


def _url(value: Any) -> str:
    split_url(value)
    return str(value)


def _issuer(value: Any) -> str:
    """RFC 8414 §2: no query, no fragment."""
    _, target = split_url(value)
    if "?" in target:
        raise ValueError("an issuer has no query")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        raise ValueError("not a short line of text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not true or false")  # noqa: TRY004 - one kind of error for all readers
    return value


def _one_of(choices: set[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError("not one of the choices")
        return str(value)

    return read


def _scopes(value: Any) -> tuple[str, ...]:
    return tuple(_scope(scope) for scope in _sequence(value))


def _scope(value: Any) -> str:
    if not _SCOPE.fullmatch(value):
        raise ValueError("not a scope")
    return str(value)


def _sequence(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) > 200:
        raise ValueError("not a list")
    return list(value)


def _origins(value: Any) -> tuple[Origin, ...]:
    return tuple(Origin.parse(origin) for origin in _sequence(value))


def _labels(value: Any) -> tuple[str, ...]:
    return tuple(_text(label) for label in _sequence(value))


def _words(value: Any) -> dict[str, str]:
    return {_scope(scope): _text(words) for scope, words in value.items()}


def _parameters(value: Any) -> dict[str, str]:
    for key in value:
        if not _PARAMETER.fullmatch(key) or key in _RESERVED:
            raise ValueError("not a parameter that may be set")
    return {key: _text(text) for key, text in value.items()}


_READERS: dict[str, Callable[[Any], Any]] = {
    "issuer": _issuer,
    "title": _text,
    "origins": _origins,
    "authorization_endpoint": _url,
    "token_endpoint": _url,
    "userinfo_endpoint": _url,
    "revocation_endpoint": _url,
    "account_id": _text,
    "account_label": _labels,
    "identity_scopes": _scopes,
    "scopes": _scopes,
    "scope_words": _words,
    "scope_separator": _one_of(_SEPARATORS),
    "token_auth": _one_of(_TOKEN_AUTH),
    "client_id": _text,
    "authorize_params": _parameters,
    "token_params": _parameters,
    "register_url": _url,
    "loopback": _flag,
    "iss_required": _flag,
}

_URLS = {
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "revocation_endpoint",
}
