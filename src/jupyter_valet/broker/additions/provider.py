"""Which provider an API is called with: one that is known at its hosts, or a new one. Pure.

A provider that is made here is named after its host, whatever a document calls itself: the name is
what a person is shown when they are asked for a key or a sign-in. So there is no other host that a
key or a token goes to, and a code is redeemed where the page says that one signs in (R146).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...wire.errors import ValetError
from ..egress.origin import Origin
from ..egress.placement import NOWHERE
from ..oauth import Profile
from ..oauth.providers.configured import configured
from ..toolsets.documents import Compiled, Scheme

_WORST = 99
_SITE = re.compile(r"https://[^/?#]+")
_RANKS = {"oauth2": 0, "openid_connect": 1, "bearer": 2, "api_key": 3, "basic": 4}


@dataclass(frozen=True)
class Chosen:
    """The provider, and its settings when it is new."""

    profile: Profile
    settings: Mapping[str, Any]


def choose(
    compiled: Compiled,
    known: Iterable[Profile],
    *,
    provider: str = "",
    scheme: str = "",
    principal: str = "",
    by_name: Collection[str] = (),
) -> Chosen:
    """Return the provider for `compiled`.

    `known` are those that the person may see; `provider` and `scheme` are their choice. Those whose
    names are in `by_name` come of other notebooks' documents, and are taken when they are named and
    not for their host: it is those documents that say where one signs in. A new one is for
    `principal` alone. Raises `ValetError` ("unknown_provider", "no_provider").
    """
    held = {profile.name: profile for profile in known}
    origin = compiled.toolset.origin
    if provider:
        if provider not in held:
            raise ValetError("unknown_provider", provider=provider)
        if origin not in held[provider].origins:
            what = f"{held[provider].title} is not at {origin}"
            raise ValetError("no_provider", name=compiled.toolset.name, what=what)
        return Chosen(held[provider], {})
    if not scheme:
        for profile in held.values():
            if origin in profile.origins and not (profile.open or profile.name in by_name):
                return Chosen(profile, {})
    there = [profile for profile in held.values() if origin in profile.origins]
    return new(compiled, scheme, principal, _known_of(origin, there))


def _known_of(origin: Origin, there: Iterable[Profile]) -> dict[str, list[str]]:
    """Return the settings by which a second provider at a host is no way around the first."""
    known: dict[str, dict[str, None]] = {"denied": {}, "reads": {}, "gets_may_write": {}}
    for profile in there:
        known["denied"] |= dict.fromkeys(profile.denied)
        known["reads"] |= dict.fromkeys(profile.reads)
        known["gets_may_write"] |= dict.fromkeys(map(str, profile.gets_may_write & {origin}))
    return {name: [*found] for name, found in known.items() if found}


def new(
    compiled: Compiled,
    wanted: str = "",
    principal: str = "",
    known: Mapping[str, list[str]] | None = None,
) -> Chosen:
    """Return a provider for `principal` alone, for an API of a host that nobody knows yet.

    `known` is what is known of the host all the same, as settings.
    """
    host = str(compiled.toolset.origin)
    usable = [s for s in compiled.schemes if _settings(s, host) is not None]
    if wanted:
        usable = [s for s in usable if s.name == wanted]
    if not usable and (wanted or (compiled.schemes and _all_need_one(compiled))):
        what = "none of the ways to sign in that it names can be used here"
        raise ValetError("no_provider", name=compiled.toolset.name, what=what)
    settings: dict[str, Any] = {"kind": "open", "origins": [host]}
    if usable:
        best = min(usable, key=lambda s: (_RANKS.get(s.kind, _WORST), s.name))
        settings = _settings(best, host) or settings
        settings |= known or {}
    return Chosen(made(settings, principal), settings)


def made(settings: Mapping[str, Any], principal: str = "") -> Profile:
    """Return the profile that `settings` describe, named after its host.

    Raises `ValetError("bad_request")`.
    """
    origins = settings["origins"]
    loopback = all(Origin.parse(text).loopback for text in origins)
    name = _name(origins[0], settings, principal)
    title = origins[0].partition("://")[2]
    if settings.get("kind") == "open":
        parsed = tuple(map(Origin.parse, origins))
        return Profile(
            name=name,
            title=title,
            kind="open",
            issuer=origins[0],
            origins=parsed,
            placement=NOWHERE,
            sole_account=title,
            loopback=loopback,
            principal=principal,
            configured=True,
        )
    profile = configured(name, {"title": title, "loopback": loopback, **settings})
    return replace(profile, principal=principal, answers_for_itself=bool(principal))


def only_reachable(compiled: Compiled, profile: Profile) -> Compiled:
    """Return `compiled` without the operations on hosts that the provider does not have (L8)."""
    toolset = compiled.toolset
    kept = tuple(o for o in toolset.operations if toolset.origin_of(o) in profile.origins)
    if not kept:
        what = f"{profile.title} has none of its hosts"
        raise ValetError("no_provider", name=toolset.name, what=what)
    notes = compiled.notes
    if len(kept) < len(toolset.operations):
        notes = (*notes, f"What is on other hosts than those of {profile.title} is left out.")
    toolset = replace(toolset, provider=profile.name, operations=kept)
    return replace(compiled, toolset=toolset, notes=notes)


def _all_need_one(compiled: Compiled) -> bool:
    return any(operation.alternatives for operation in compiled.toolset.operations[:50])


def _settings(scheme: Scheme, host: str) -> dict[str, Any] | None:
    """Return the settings (docs/providers.md) that a security scheme means; None: not usable."""
    origins = [host]
    match scheme.kind:
        case "api_key" if scheme.place in ("header", "query") and scheme.parameter:
            place = {"in": scheme.place, "name": scheme.parameter}
            return {"kind": "api_key", "origins": origins, "key": place}
        case "bearer":
            return {"kind": "api_key", "origins": origins, "key": {"in": "header"}}
        case "basic":
            return {"kind": "api_key", "origins": origins, "key": {"in": "basic"}}
        case "openid_connect":
            issuer, mark, _ = scheme.discovery_url.partition("/.well-known/")
            return {"issuer": issuer, "origins": origins} if mark else None
        case "oauth2":
            return _oauth(scheme, origins)
    return None


def _oauth(scheme: Scheme, origins: list[str]) -> dict[str, Any] | None:
    for flow in scheme.flows:
        site, token_site = _SITE.match(flow.authorization_url), _SITE.match(flow.token_url)
        if site and token_site and site[0] == token_site[0]:
            return {
                "issuer": site[0],
                "authorization_endpoint": flow.authorization_url,
                "token_endpoint": flow.token_url,
                "origins": origins,
                "scope_words": {s: w or s for s, w in list(scheme.scopes.items())[:200]},
            }
    return None


def _name(origin: str, settings: Mapping[str, Any], principal: str) -> str:
    """Return a name that says the host, the same for the same settings of the same person."""
    host = re.sub(r"[^a-z0-9]+", "_", origin.partition("://")[2].lower()).strip("_")
    facts = json.dumps([principal, settings], sort_keys=True)
    digest = hashlib.sha256(facts.encode()).hexdigest()[:6]
    head = host if host[:1].isalpha() else f"at_{host}"
    return f"{head[:25]}_{digest}"
