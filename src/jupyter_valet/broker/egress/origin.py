"""Where a request may go: origins in one strict spelling, and the addresses behind them.

Attackers write the same host in many ways (upper case, trailing dot, numeric IPv4, IPv6, userinfo,
full-width letters); a grammar that knows one way has nothing to normalise (R131, R136, R137).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import cached_property

import anyio

from ...wire.errors import ValetError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_DEFAULT_PORTS = {"https": 443, "http": 80}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(?::([1-9][0-9]{{0,4}}))?", re.ASCII)
# RFC 3986 pchar and query characters; no backslash, no space, no fragment, nothing outside ASCII.
_TARGET = re.compile(
    r"(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)?(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?"
)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
# Addresses that carry an IPv4 address inside: RFC 6052 (NAT64), RFC 3056 (6to4).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(ValetError):
    """The host's address is not one that this connection may reach (BP-09 … BP-11, R130 … R132)."""

    def __init__(self, host: str) -> None:
        super().__init__("address_refused", host=host)


@dataclass(frozen=True)
class Origin:
    """A scheme, host and port, in their one canonical form."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read `https://host[:port]`; plain `http` only for this machine itself (BP-10).

        Raises `ValueError` for every other spelling: userinfo, path, IPv6, upper case, trailing
        dot, numbers for a host other than a plain 127.x.y.z.
        """
        match = _ORIGIN.fullmatch(text)
        if match is None or len(match[2]) > 253:
            raise ValueError("not an origin")
        origin = cls(match[1], match[2], int(match[3] or _DEFAULT_PORTS[match[1]]))
        origin._check()
        return origin

    def _check(self) -> None:
        if self.port > 65535:
            raise ValueError("not a port")
        # WHATWG URL §3.5: a host whose last label starts like a number is an IPv4 address there.
        if self.host.rpartition(".")[2][0].isdigit() and not self.loopback:
            raise ValueError("a number is not a host name")
        if self.scheme == "http" and not self.loopback:
            raise ValueError("plain http is for this machine only")

    @property
    def loopback(self) -> bool:
        """Whether the name itself means this machine: `localhost` or 127.x.y.z."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.IPv4Address(self.host).is_loopback
        except ValueError:
            return False

    def url(self, path: str = "") -> str:
        """Return the URL of `path` (with its query), which is empty or starts with a slash."""
        if path and not path.startswith("/"):
            raise ValueError("a path starts with a slash")
        return f"{self}{path}"

    @cached_property
    def authority(self) -> str:
        """Host and port as the `Host` header has them (RFC 9110 §7.2)."""
        return self.host if self.port == _DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @cached_property
    def _text(self) -> str:
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return self._text

    def __hash__(self) -> int:
        return hash(self._text)  # which keeps its own; it is what pools are found by


def split_url(url: str) -> tuple[Origin, str]:
    """Split `url` into its origin and the rest (path and query; empty when there is none).

    Raises `ValueError` for anything outside the grammar: fragments, dot segments, backslashes,
    spaces, letters outside ASCII, broken percent encoding.
    """
    start = url.find("://") + 3
    end = next((i for i in range(start, len(url)) if url[i] in "/?#\\"), len(url))
    target = url[end:]
    check_target(target)
    return Origin.parse(url[:end]), target


def check_target(target: str) -> None:
    """Raise `ValueError` unless `target` is a path and query of the strict form (R127, R128)."""
    if not _TARGET.fullmatch(target) or _BAD_PERCENT.search(target):
        raise ValueError("not a URL of the strict form")
    if _DOT_SEGMENT.search(target.partition("?")[0]):
        raise ValueError("dot segments in a URL")


async def resolve(origin: Origin, *, loopback: bool) -> list[str]:
    """Look up `origin` once and return its addresses, all of them vetted; dial these and no others.

    Every address must be global, or, with `loopback`, of this machine; one bad address refuses the
    host (R132: the answer that was checked is the answer that is dialled). Raises `AddressRefused`,
    and `ValetError("provider_unreachable")` when the name has no address.
    """
    try:
        found = await anyio.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except OSError:
        raise ValetError("provider_unreachable", provider=origin.host) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise ValetError("provider_unreachable", provider=origin.host)
    if not all(permitted(address, loopback=loopback) for address in addresses):
        raise AddressRefused(origin.host)
    return addresses


def permitted(address: str, *, loopback: bool) -> bool:
    """Tell whether `address` may be dialled: a public one, or with `loopback` this machine's."""
    try:
        parsed = _unwrapped(ipaddress.ip_address(address))
    except ValueError:
        return False
    return parsed.is_loopback if loopback else _public(parsed)


def _unwrapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 one stands for, if it stands for one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _public(address: IPAddress) -> bool:
    """Be stricter than `is_global`, which lets multicast, site-local and Teredo through."""
    if isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address.teredo):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_private
    )
