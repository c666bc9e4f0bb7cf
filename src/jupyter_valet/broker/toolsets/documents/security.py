"""What a document says about who may call: schemes, and the needs of each operation.

OpenAPI lists alternatives, each of which names schemes with all the scopes they take (3.1.1,
§4.8.30). Discovery lists scopes of which any one does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..model import Need
from .text import words
from .unusable import Unusable

Kind = Literal["oauth2", "api_key", "bearer", "basic", "openid_connect", "other"]

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")  # RFC 6749 §3.3
_MOST = 16
_KINDS: Mapping[str, Kind] = {
    "oauth2": "oauth2", "apikey": "api_key", "openidconnect": "openid_connect", "basic": "basic",
}  # fmt: skip
_HTTP: Mapping[str, Kind] = {"basic": "basic", "bearer": "bearer"}
_URLS = ("authorizationUrl", "tokenUrl", "refreshUrl", "deviceAuthorizationUrl")

# Scopes of Google's that show a part of the account, or refuse some arguments. One that was
# granted is used where it does, but none is asked for where a whole one does: the answers would be
# empty.
_PARTIAL = re.compile(
    r"\.(?:appdata|appfolder|apps\.readonly|apps|file|scripts|photos\.readonly|meet\.readonly"
    r"|app\.created|freebusy|addons\..*|owned|owned\.readonly|public\.readonly)$"
    r"|/gmail\.(?:metadata|addons\..*)$|\.events\.freebusy$"
)
# Scopes of a whole platform that other APIs take as well, by the first word of their names.
_PLATFORMS = frozenset({"drive", "cloud-platform"})


@dataclass(frozen=True)
class Flow:
    """One way to an OAuth token (§4.8.29)."""

    name: str
    authorization_url: str = ""
    token_url: str = ""
    refresh_url: str = ""
    device_authorization_url: str = ""


@dataclass(frozen=True)
class Scheme:
    """A security scheme (§4.8.27): enough to propose a provider's profile from.

    `place` and `parameter` say where an API key goes, `discovery_url` is OpenID Connect's, and
    `scopes` are names with the document's words for them.
    """

    name: str
    kind: Kind
    description: str = ""
    place: Literal["", "header", "query", "cookie"] = ""
    parameter: str = ""
    flows: tuple[Flow, ...] = ()
    scopes: Mapping[str, str] = field(default_factory=dict)
    discovery_url: str = ""


def schemes(found: Mapping[str, Any]) -> tuple[Scheme, ...]:
    """Return the schemes, in the order of their names; what is none is left out."""
    return tuple(
        _scheme(name, found[name]) for name in sorted(found) if isinstance(found[name], dict)
    )


def _scheme(name: str, node: Mapping[str, Any]) -> Scheme:
    kind = str(node.get("type", "")).lower()
    place = node.get("in")
    flows, scopes = _flows(node)
    return Scheme(
        name,
        _HTTP.get(str(node.get("scheme", "")).lower(), "other")
        if kind == "http"
        else _KINDS.get(kind, "other"),
        words(node.get("description"), 300),
        place if place in ("header", "query", "cookie") and kind == "apikey" else "",
        _text(node.get("name")) if kind == "apikey" else "",
        flows,
        scopes,
        _text(node.get("openIdConnectUrl")) or _text(node.get("oauth2MetadataUrl")),
    )


def _flows(node: Mapping[str, Any]) -> tuple[tuple[Flow, ...], dict[str, str]]:
    listed = node.get("flows")
    if isinstance(node.get("flow"), str):  # Swagger 2.0 has one
        listed = {node["flow"]: node}
    flows: list[Flow] = []
    scopes: dict[str, str] = {}
    for name, flow in listed.items() if isinstance(listed, dict) else ():
        if isinstance(flow, dict):
            flows.append(Flow(name, *(_text(flow.get(url)) for url in _URLS)))
            scopes |= _scopes(flow.get("scopes"))
    return tuple(flows), scopes


def _scopes(node: object) -> dict[str, str]:
    if not isinstance(node, dict):
        return {}
    return {name: words(said, 200) for name, said in node.items() if _SCOPE.fullmatch(name)}


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 2_000 else ""


def needs(requirements: object) -> tuple[Need, ...]:
    """Return the alternatives in the document's order; none when it says nothing.

    Raises `Unusable` when what it says cannot be read: guessing would be guessing at permissions.
    """
    if requirements is None:
        return ()
    if not isinstance(requirements, list):
        raise Unusable("its security requirements are not well-formed")
    return tuple(dict.fromkeys(map(_need, requirements[:_MOST])))


def _need(requirement: object) -> Need:
    if not isinstance(requirement, dict):
        raise Unusable("its security requirements are not well-formed")
    scopes: set[str] = set()
    for names in requirement.values():
        if not isinstance(names, list):
            raise Unusable("its security requirements are not well-formed")
        scopes.update(map(_scope, names))
    return Need(frozenset(scopes), tuple(sorted(requirement)))


def _scope(name: object) -> str:
    if not isinstance(name, str) or not _SCOPE.fullmatch(name):
        raise Unusable("a scope that it needs has no proper name")
    return name


class Narrowness:
    """Which of several needs asks for least, judged by the whole document.

    A scope that lets one change less is narrower, then one that more of the operations do without;
    one of another API is wider than any of this one's.
    """

    def __init__(self, uses: Iterable[tuple[Sequence[Need], bool]], title: str) -> None:
        """`uses` has each operation's alternatives, and whether it writes; `title` is the API's."""
        self._title = title.lower()
        self._writes: Counter[str] = Counter()
        self._all: Counter[str] = Counter()
        for alternatives, writes in uses:
            scopes = {scope for need in alternatives for scope in need.scopes}
            self._all.update(scopes)
            if writes:
                self._writes.update(scopes)

    def order(self, alternatives: Sequence[Need]) -> tuple[Need, ...]:
        """Return `alternatives`, the narrowest first."""
        return tuple(sorted(alternatives, key=self._rank))

    def _rank(self, need: Need) -> tuple[bool, bool, int, int, int, list[str], tuple[str, ...]]:
        return (
            any(_PARTIAL.search(scope) for scope in need.scopes),
            any(self._foreign(scope) for scope in need.scopes),
            sum(self._writes[scope] for scope in need.scopes),
            sum(self._all[scope] for scope in need.scopes),
            len(need.scopes),
            sorted(need.scopes),
            need.schemes,
        )

    def _foreign(self, scope: str) -> bool:
        family = scope.rpartition("/")[2].partition(".")[0]
        return family in _PLATFORMS and family not in self._title
