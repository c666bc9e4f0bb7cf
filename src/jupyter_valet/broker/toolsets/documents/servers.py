"""Where an operation lives: the most specific server, with its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin

from ...egress.origin import Origin
from .unusable import Unusable

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)")
_PATH = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*", re.ASCII)


@dataclass(frozen=True)
class Server:
    """An origin, and the path that all of its operations begin with."""

    origin: Origin
    base: str
    upgraded: bool = False
    """Whether the document says http where https is used."""


def server(candidates: tuple[Any, ...], document_url: str, variables: Mapping[str, str]) -> Server:
    """Return the first server of the first of `candidates` that has any (OpenAPI 3.1.1, §4.8.5).

    A relative one is resolved against the URL that the document came from. Raises `Unusable`.
    """
    for listed in candidates:
        if isinstance(listed, list) and listed and isinstance(listed[0], dict):
            return parsed(_filled(listed[0], variables), document_url)
    return parsed("/", document_url)


def parsed(url: str, document_url: str = "") -> Server:
    """Return the server at `url`. Plain http becomes https, unless it is this machine's.

    Raises `Unusable` for what is no https address: other schemes, user names, literal addresses.
    """
    absolute = urljoin(document_url, url) if document_url else url
    match = _URL.match(absolute)
    if match is None:
        raise Unusable("no server is named, and the document's own address is not known")
    scheme, host, path = match[1].lower(), match[2].lower(), match[3]
    try:
        origin, upgraded = _origin(scheme, host)
    except ValueError:
        raise Unusable("its server has no address of the form https://host") from None
    if "{" in path or not _PATH.fullmatch(path := quote(path, safe="/:@!$&'()*+,;=%~")):
        raise Unusable("its server's path is not well-formed")
    return Server(origin, path.rstrip("/"), upgraded)


def _origin(scheme: str, host: str) -> tuple[Origin, bool]:
    try:
        return Origin.parse(f"{scheme}://{host}"), False
    except ValueError:
        host = host.removesuffix(":80")
        if scheme != "http" or ":" in host:
            raise
        return Origin.parse(f"https://{host}"), True


def _filled(listed: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """Fill in the variables: what the person set, else the default (§4.8.6)."""
    url = listed.get("url")
    if not isinstance(url, str):
        raise Unusable("its server has no address")
    declared = listed.get("variables")

    def value(match: re.Match[str]) -> str:
        name = match[1]
        own = declared.get(name) if isinstance(declared, dict) else None
        default = own.get("default") if isinstance(own, dict) else None
        chosen = given.get(name, default)
        if not isinstance(chosen, str | int) or isinstance(chosen, bool):
            raise Unusable(f"its server's variable {name[:40]} has no value")
        return str(chosen)

    return _VARIABLE.sub(value, url)
