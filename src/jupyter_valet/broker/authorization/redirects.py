"""Redirect URIs: which may be registered, and which one a request may name (pure).

RFC 9700 §4.1 and BP-05: compared as strings, with the one exception of RFC 8252 §7.3, the port of a
loopback address, which a program gets only when it starts to listen.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

MOST = 10
"""Redirect URIs that one program may have."""

LONGEST = 1000

EDITORS = frozenset(
    {"code-oss", "cursor", "vscode", "vscode-insiders", "vscodium", "windsurf", "zed"}
)
"""Schemes without a dot that well-known programs own; RFC 8252 §7.1 wants a reversed domain name,
which no program of a web page and no `javascript:` has."""

# RFC 3986, without `#` (RFC 6749 §3.1.2) and what would have to be escaped on a page.
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[A-Za-z0-9\-._~:/?@!$&'()*+,;=%\[\]]+")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PORT = re.compile(r"^(http://(?:\[[0-9a-f:]+\]|[^/:?]+)):[0-9]{1,5}(?=[/?]|$)")


class Kind(StrEnum):
    """Where a redirect goes."""

    WEB = "web"
    """To a server, over https."""
    LOOPBACK = "loopback"
    """To whatever listens at that port of the browser's machine."""
    APP = "app"
    """To whatever program the browser's machine has for the scheme."""


@dataclass(frozen=True)
class Redirect:
    """A redirect URI of the strict form."""

    uri: str
    kind: Kind
    host: str
    """The host, or the scheme of a program: what a person can tell it by."""
    source: str
    """The CSP source expression that lets a form end there (CSP 3, §2.3.1)."""

    @property
    def claimable(self) -> bool:
        """Whether any program of the browser's machine could have asked with it (AS-04)."""
        return self.kind is not Kind.WEB


def parse(uri: str) -> Redirect:
    """Read a redirect URI. Raises `ValueError` for one that is never redirected to."""
    if len(uri) > LONGEST or not _URI.fullmatch(uri):
        raise ValueError("not a URI of the strict form")
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        if "." not in parts.scheme and parts.scheme not in EDITORS:
            raise ValueError("not a scheme of a program's own")
        return Redirect(uri, Kind.APP, parts.scheme, f"{parts.scheme}:")
    host, port = parts.hostname or "", parts.port
    if parts.username is not None or not (_HOST.fullmatch(host) or _is_loopback(host)):
        raise ValueError("not a host")
    if parts.scheme == "https":
        return Redirect(uri, Kind.WEB, host, _source("https", host, port))
    if not _is_loopback(host):
        raise ValueError("plain http is for loopback only")
    return Redirect(uri, Kind.LOOPBACK, host, _source("http", host, port))


def names(registered: Iterable[str], asked: str) -> bool:
    """Tell whether `asked` is one of `registered` (BP-05, RFC 8252 §7.3)."""
    return any(one == asked or _same_loopback(one, asked) for one in registered)


def without_port(uri: str) -> str:
    """Return a loopback redirect without its port, another as it is: the same program each time."""
    return _PORT.sub(r"\1", uri) if _loopback(uri) else uri


def comes_back(redirect: Redirect, origin: str) -> bool:
    """Tell whether an answer would go to the very server that gives it.

    Scripts of notebooks are of that origin and read what its pages are loaded with; on a Hub
    without subdomains other people's are, too. With the server's port, every loopback address
    counts as the server.
    """
    if redirect.kind is Kind.APP:
        return False
    theirs, ours = urlsplit(redirect.uri), urlsplit(origin)
    if _port_of(theirs) != _port_of(ours):
        return False
    hosts = (theirs.hostname or "", ours.hostname or "")
    return hosts[0] == hosts[1] or all(map(_is_loopback, hosts))


def _port_of(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _same_loopback(one: str, asked: str) -> bool:
    return _loopback(one) and _loopback(asked) and without_port(one) == without_port(asked)


def _loopback(uri: str) -> bool:
    try:
        return parse(uri).kind is Kind.LOOPBACK
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _source(scheme: str, host: str, port: int | None) -> str:
    if ":" in host:  # no host-source can name an IPv6 address (CSP 3, §2.3.1)
        return f"{scheme}:"
    return f"{scheme}://{host}" + (f":{port}" if port else "")
