"""Which addresses a walled kernel's TCP sockets get: a loopback of its own, out of browsers' reach.

Pure functions over raw socket addresses. A program that listens on a free port of the loopback
(a debugger, a scheduler of workers, an inner kernel) gets a port that no browser connects to, at a
loopback address of the kernel's own, and is told a number that stands for it (`dynamic`); what
connects to that number at the loopback is led there. So local tools work, and neither a browser
(R80) nor another kernel reaches them.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import dynamic
from .dynamic import DynamicPorts, Place

_IPV4, _IPV6 = struct.Struct("=H2s4s8s"), struct.Struct("=H2sI16sI")
_ANY = ("127.0.0.1", "::1", "0.0.0.0", "::")  # noqa: S104
_MAPPED = b"\0" * 10 + b"\xff\xff"


@dataclass
class Loopback:
    """What a kernel may use of TCP ports, and what it uses."""

    address: str
    """The kernel's own loopback address, IPv4; with a network, all of its /24 is the kernel's."""
    own: frozenset[int]
    """Given to the kernel for its messages with the server."""
    local: tuple[int, ...]
    """For whatever runs in the kernel; browsers refuse them."""
    opened: frozenset[int]
    """Opened by the person: reachable from everywhere."""
    denied: frozenset[int] = frozenset()
    """Where no connection may go, whatever listens there."""
    dynamic: DynamicPorts = field(init=False)

    def __post_init__(self) -> None:
        hosts = [f"{self._block}{last}" for last in range(2, 255)]
        self.dynamic = DynamicPorts(Place(host, port) for host in hosts for port in self.local)

    @property
    def _block(self) -> str:
        return self.address.rpartition(".")[0] + "."

    def means(self, wanted: Address) -> bool:
        """Tell whether this loopback is meant, and no other kernel's."""
        return wanted.plain in _ANY or self.has(wanted)

    def has(self, wanted: Address) -> bool:
        """Tell whether this is one of the kernel's own addresses."""
        return wanted.plain.startswith(self._block)

    def may_listen(self, host: str, port: int) -> bool:
        """Tell whether a socket that is bound there may listen: not where another kernel would."""
        if port in self.opened:
            return True
        ours = host.removeprefix("::ffff:").startswith(self._block)
        return ours and (port in self.own or port in self.local)


@dataclass(frozen=True)
class Address:
    """A socket address of IPv4 or IPv6."""

    family: int
    host: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @classmethod
    def parse(cls, raw: bytes) -> Address | None:
        """Read a `sockaddr_in` or `sockaddr_in6`; None for anything else."""
        family = int.from_bytes(raw[:2], "little")
        if family == socket.AF_INET and len(raw) >= _IPV4.size:
            _, port, host, _ = _IPV4.unpack_from(raw)
            return cls(family, ipaddress.IPv4Address(host), int.from_bytes(port, "big"))
        if family == socket.AF_INET6 and len(raw) >= _IPV6.size - 4:
            _, port, _, host6, _ = _IPV6.unpack(raw[: _IPV6.size].ljust(_IPV6.size, b"\0"))
            return cls(family, ipaddress.IPv6Address(host6), int.from_bytes(port, "big"))
        return None

    @property
    def plain(self) -> str:
        """The host in its shortest form: an IPv4 address inside an IPv6 one is the former."""
        host = self.host
        if isinstance(host, ipaddress.IPv6Address):
            host = host.ipv4_mapped or host
        return str(host)

    @property
    def is_local(self) -> bool:
        """Whether it means this machine's loopback, or any address of it."""
        host = ipaddress.ip_address(self.plain)
        return host.is_loopback or host.is_unspecified


@dataclass(frozen=True)
class Candidate:
    """What a socket may be bound to; `number` is what programs will know a dynamic place by."""

    address: bytes
    number: int = 0
    place: Place | None = None


def encode(family: int, host: str, port: int) -> bytes:
    """Return a raw address in the form that a socket of `family` takes."""
    number = port.to_bytes(2, "big")
    if family == socket.AF_INET:
        packed = socket.inet_aton("127.0.0.1" if ":" in host else host)
        return _IPV4.pack(socket.AF_INET, number, packed, b"")
    whole = (
        socket.inet_pton(socket.AF_INET6, host) if ":" in host else _MAPPED + socket.inet_aton(host)
    )
    return _IPV6.pack(socket.AF_INET6, number, 0, whole, 0)


def to_bind(raw: bytes, loopback: Loopback) -> Iterator[Candidate]:
    """Yield what to try instead of `raw`, in order; nothing at all means refused."""
    wanted = Address.parse(raw)
    if wanted is None:
        return
    if wanted.port in loopback.opened:
        yield Candidate(raw)
    elif not loopback.means(wanted):
        return
    elif wanted.port in loopback.own or wanted.port in loopback.local:
        yield Candidate(encode(wanted.family, loopback.address, wanted.port))
    elif wanted.port == 0 or wanted.port >= dynamic.FIRST:
        yield from any_free(wanted.family, loopback, wanted.port)


def any_free(family: int, loopback: Loopback, wanted: int = 0) -> Iterator[Candidate]:
    """Yield the places for a dynamic port, in order."""
    for number, place in loopback.dynamic.to_bind(wanted):
        yield Candidate(encode(family, *place), number, place)


def asks_for_any(raw: bytes) -> bool:
    """Tell whether the system is to choose the port."""
    wanted = Address.parse(raw)
    return wanted is not None and wanted.port == 0


def bound(raw: bytes, got: Candidate, loopback: Loopback) -> None:
    """Remember what a program that asked for `raw` got; one that listens unbound asks for b""."""
    if got.place is not None:
        wanted = Address.parse(raw)
        host = str(wanted.host) if wanted is not None else "0.0.0.0"  # noqa: S104
        loopback.dynamic.bound(got.number, got.place, host)


def told(family: int, host: str, port: int, loopback: Loopback) -> bytes | None:
    """Return the address to tell a program whose socket is really there, None for just that."""
    known = loopback.dynamic.told(Place(host.removeprefix("::ffff:"), port))
    return None if known is None else encode(family, *known)


def to_connect(raw: bytes, loopback: Loopback) -> bytes | None:
    """Return where a connection to `raw` really goes, None if nowhere: to another kernel (R34).

    All other ports are Landlock's to judge.
    """
    wanted = Address.parse(raw)
    if wanted is None or not wanted.is_local:
        return raw
    place = loopback.dynamic.place(wanted.port)
    if place is not None and loopback.means(wanted):
        return encode(wanted.family, *place)
    if wanted.port not in loopback.own and wanted.port not in loopback.local:
        return raw
    if not loopback.means(wanted):
        return None
    host = wanted.plain if loopback.has(wanted) else loopback.address
    return encode(wanted.family, host, wanted.port)
