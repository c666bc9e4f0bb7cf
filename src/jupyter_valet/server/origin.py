"""At which origin a person's browser knows this server (L20).

Configured, or told by JupyterHub, or taken from the person's own browser; never from a `Host` that
nobody checked: Jupyter has checked the `Host` of every request that gets here, and a browser's own
words (`Origin`, `Sec-Fetch-*`) must agree with it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


def parse(text: str) -> str | None:
    """Return the origin (`https://host[:port]`) of a URL, or None when it is none.

    One spelling: lower case, no default port, no user, http(s) only.
    """
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return None
    host = parts.netloc.lower()
    if parts.scheme not in _DEFAULT_PORT or not _HOST.fullmatch(host):
        return None
    return f"{parts.scheme}://{host.removesuffix(_DEFAULT_PORT[parts.scheme])}"


def is_loopback(host: str) -> bool:
    """Whether a `Host` header names this machine, so that browsers trust plain http to it."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return (
            name == "localhost"
            or name.endswith(".localhost")
            or ipaddress.ip_address(name).is_loopback
        )
    except ValueError:
        return False


@lru_cache(maxsize=64)
def of_navigation(protocol: str, host: str) -> str | None:
    """Return the origin of a navigation that carried `Sec-Fetch-*` headers.

    Browsers send those to https and to loopback only, so to any other host it was https, also when
    a proxy in front of us ends the TLS.
    """
    scheme = protocol if is_loopback(host) else "https"
    return parse(f"{scheme}://{host}")


def of_request(headers: Mapping[str, str], protocol: str, host: str) -> str | None:
    """Return the origin of a request that a browser's script made, or None when none did.

    A same-origin POST carries `Origin`; it counts when it names the host that was asked.
    """
    told = parse(headers.get("Origin", ""))
    if told is not None and told == parse(f"{urlsplit(told).scheme}://{host}"):
        return told
    if headers.get("Sec-Fetch-Site") == "same-origin":
        return of_navigation(protocol, host)
    return None


@dataclass
class Origins:
    """The public origin, with `base_url`, for each question there is.

    `hub_url` is what JupyterHub says it is, empty where it says nothing. `fallback` returns the
    server's own idea of its URL (`ServerApp.connection_url`), which is right only once it listens.
    """

    base_url: str
    configured: str
    fallback: Callable[[], str]
    hub_url: str = ""
    learned: str = ""

    def __post_init__(self) -> None:
        told = self.configured or self.hub_url
        self._fixed = parse(told) if told else None
        if self.configured and self._fixed is None:
            raise ValueError(f"public_origin is not an origin: {self.configured!r}")

    def for_page(self, protocol: str, host: str) -> str:
        """Return the origin of an isolated page from the navigation that asked for it."""
        return self._with_base(self._fixed or of_navigation(protocol, host))

    def learn(self, protocol: str, host: str) -> None:
        """Remember where an authenticated person's browser found us."""
        self.learned = of_navigation(protocol, host) or self.learned

    def for_kernel(self, headers: Mapping[str, str], protocol: str, host: str) -> str:
        """Return the origin for the cards of a kernel that this request started."""
        return self._with_base(self._fixed or of_request(headers, protocol, host) or self.learned)

    def fixed(self) -> str:
        """Return the origin that configuration or JupyterHub fixes; empty when neither does."""
        return self._with_base(self._fixed) if self._fixed else ""

    def told(self) -> str:
        """Return the origin that was configured or learned; empty when neither was."""
        return self._with_base(origin) if (origin := self._fixed or self.learned) else ""

    def guess(self) -> str:
        """Return the best origin known without any request."""
        return self.told() or self._with_base(None)

    def _with_base(self, origin: str | None) -> str:
        return (origin or parse(self.fallback()) or "http://127.0.0.1") + self.base_url
