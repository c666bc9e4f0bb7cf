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
from ...egress.placement import BEARER
from ..profile import DeviceFlow, Identity, Profile, Quirks
from . import settings

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)

_OIDC_WORDS = {
    "openid": "Know who you are",
    "profile": "See your name and picture",
    "email": "See your email address",
    "offline_access": "Stay signed in",
}

_READERS: dict[str, Callable[[Any], Any]] = {
    "kind": settings.one_of({"oauth", "api_key"}),
    "title": settings.text,
    "origins": settings.origins,
    "register_url": settings.url,
    "loopback": settings.flag,
    "probe_path": settings.path,
    "accepts_reflection": settings.origins,
    "denied": settings.rules,
    "reads": settings.reads,
    "gets_may_write": settings.origins,
}
"""What every provider may set."""

_KEYED: dict[str, Callable[[Any], Any]] = {"key": settings.place}
"""What one that takes an API key may set besides."""

_OAUTH: dict[str, Callable[[Any], Any]] = {
    "issuer": settings.issuer,
    "authorization_endpoint": settings.url,
    "token_endpoint": settings.url,
    "userinfo_endpoint": settings.url,
    "revocation_endpoint": settings.url,
    "device_authorization_endpoint": settings.url,
    "flow": settings.one_of({"code", "device", "client_credentials"}),
    "account_id": settings.text,
    "account_label": settings.labels,
    "identity_scopes": settings.scopes,
    "scopes": settings.scopes,
    "scope_words": settings.words,
    "scope_separator": settings.one_of({" ", ","}),
    "token_auth": settings.one_of({"client_secret_post", "client_secret_basic", "none"}),
    "client_id": settings.text,
    "authorize_params": settings.parameters,
    "token_params": settings.parameters,
    "iss_required": settings.flag,
}
"""What one with a sign-in may set besides."""

_URLS = {
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "revocation_endpoint",
    "device_authorization_endpoint",
}

_OWN_ENDPOINTS: dict[str, tuple[str, ...]] = {
    "code": ("authorization_endpoint", "token_endpoint"),
    "device": ("device_authorization_endpoint", "token_endpoint"),
    "client_credentials": ("token_endpoint",),
}
"""What must be there when nothing is to be discovered, by the way that tokens are got."""


def configured(name: str, entry: Mapping[str, Any]) -> Profile:
    """Return the profile that `entry` describes; an issuer URL is enough, or a key's hosts.

    Raises `ValetError("bad_request")` naming the provider and the setting that is wrong.
    """
    if not _NAME.fullmatch(name):
        raise _wrong("?", "name")
    keyed = entry.get("kind") == "api_key"
    readers = _READERS | (_KEYED if keyed else _OAUTH)
    unknown = set(entry) - readers.keys()
    if unknown:
        raise _wrong(name, settings.name_of(min(unknown)))
    read = {key: _read(name, key, entry[key], readers) for key in entry}
    origins = _origins(name, read, keyed=keyed)
    if keyed:
        return _keyed(name, origins, read)
    _check_flow(name, read)
    return _oauth(name, origins, read)


def _check_flow(name: str, read: dict[str, Any]) -> None:
    """Refuse endpoints that are half there, and a client that could not use its flow."""
    flow = read.get("flow", "code")
    there = {key for key in _OWN_ENDPOINTS["code"] if key in read}
    needed = set(_OWN_ENDPOINTS[flow])
    if there and not needed <= read.keys():
        raise _wrong(name, "token_endpoint")
    if flow != "client_credentials":
        return
    for key, wrong in (("client_id", True), ("token_auth", read.get("token_auth") == "none")):
        if wrong and key in read:  # only a client with a secret may (RFC 6749 §4.4)
            raise _wrong(name, key)


def _origins(name: str, read: dict[str, Any], *, keyed: bool) -> tuple[Origin, ...]:
    """Return the API hosts, all of them and all endpoints on this machine or none of them."""
    needed = "origins" if keyed else "issuer"
    if not read.get(needed):
        raise _wrong(name, needed)
    origins: tuple[Origin, ...] = read.get("origins") or (split_url(read["issuer"])[0],)
    loopback = read.get("loopback", False)
    everywhere = [*origins, *(split_url(read[key])[0] for key in _URLS & read.keys())]
    if any(origin.loopback != loopback for origin in everywhere):
        raise _wrong(name, "loopback")
    if not set(read.get("accepts_reflection", ())) <= set(origins):
        raise _wrong(name, "accepts_reflection")
    return origins


def _keyed(name: str, origins: tuple[Origin, ...], read: dict[str, Any]) -> Profile:
    return Profile(
        issuer=str(origins[0]),
        kind="api_key",
        placement=read.get("key", BEARER),
        **_shared(name, origins, read),
    )


def _shared(name: str, origins: tuple[Origin, ...], read: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": read.get("title", name),
        "origins": origins,
        "loopback": read.get("loopback", False),
        "register_url": read.get("register_url", ""),
        "probe_path": read.get("probe_path", ""),
        "accepts_reflection": frozenset(read.get("accepts_reflection", ())),
        "denied": read.get("denied", ()),
        "reads": read.get("reads", ()),
        "gets_may_write": frozenset(read.get("gets_may_write", ())),
        "configured": True,
    }


def _oauth(name: str, origins: tuple[Origin, ...], read: dict[str, Any]) -> Profile:
    flow = read.get("flow", "code")
    openid = not read.get("token_endpoint") and flow != "client_credentials"
    separator = read.get("scope_separator", " ")
    return Profile(
        issuer=read["issuer"],
        authorization_endpoint=read.get("authorization_endpoint", ""),
        token_endpoint=read.get("token_endpoint", ""),
        userinfo_endpoint=read.get("userinfo_endpoint", ""),
        revocation_endpoint=read.get("revocation_endpoint", ""),
        flow=flow,
        device=DeviceFlow(endpoint=read.get("device_authorization_endpoint", "")),
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
        quirks=Quirks(
            granted_scope_separators=" ,"[: 1 if separator == " " else 2],
            offline_scope="offline_access" if openid else "",
            iss="required" if read.get("iss_required") else "if_present",
        ),
        **_shared(name, origins, read),
    )


def _read(name: str, key: str, value: Any, readers: Mapping[str, Callable[[Any], Any]]) -> Any:
    try:
        return readers[key](value)
    except (LookupError, ValueError, TypeError, AttributeError):
        raise _wrong(name, key) from None


def _wrong(name: str, key: str) -> ValetError:
    return ValetError("bad_request", what=f"setting {key} of provider {name}")
