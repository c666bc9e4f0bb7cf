"""Which addresses a walled kernel's TCP sockets get: a loopback of its own, out of browsers' reach.

Pure functions over raw socket addresses. A program that listens on a free port of the loopback
(a debugger, a scheduler of workers) gets a port that no browser connects to, at the kernel's own
loopback address; what connects to such a port at any loopback address is led there. So local tools
work, and neither a browser (R80) nor another kernel reaches them.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass, field

_IPV4, _IPV6 = struct.Struct("=H2s4s8s"), struct.Struct("=H2sI16sI")
DYNAMIC = 49152
"""From here on (RFC 6335 §6) a program that names a port means any free one."""
_ANY = ("127.0.0.1", "::1", "0.0.0.0", "::")  # noqa: S104
_MAPPED = b"\0" * 10 + b"\xff\xff"


@dataclass
class Loopback:
    """What a kernel may use of TCP ports, and what it uses."""

    address: str
    """The kernel's own loopback address, IPv4."""
    own: frozenset[int]
    """Given to the kernel for its messages with the server."""
    local: tuple[int, ...]
    """For whatever runs in the kernel; browsers refuse them."""
    opened: frozenset[int]
    """Opened by the person: reachable from everywhere."""
    aliases: dict[int, int] = field(default_factory=dict)
    """Which local port stands for a dynamic one that a program bound by number."""
    used_last: int = 0

    def means(self, wanted: Address) -> bool:
        """Tell whether this loopback is meant, and no other kernel's."""
        return wanted.plain in {*_ANY, self.address}

    def free_ports(self) -> list[int]:
        """Return the local ports, those longest unused first.

        A program that frees a port to bind it by number a moment later (ipykernel's debugger) must
        find it free.
        """
        after = self.local.index(self.used_last) + 1 if self.used_last in self.local else 0
        return [*self.local[after:], *self.local[:after]]


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


def encode(family: int, address: str, port: int) -> bytes:
    """Return a raw address: an IPv4 one, in the form that a socket of `family` takes."""
    host, number = socket.inet_aton(address), port.to_bytes(2, "big")
    if family == socket.AF_INET:
        return _IPV4.pack(socket.AF_INET, number, host, b"")
    return _IPV6.pack(socket.AF_INET6, number, 0, _MAPPED + host, 0)


def to_bind(raw: bytes, loopback: Loopback) -> list[bytes]:
    """Return the addresses to try instead of `raw`, in order; none at all means refused."""
    wanted = Address.parse(raw)
    if wanted is None:
        return []
    if wanted.port in loopback.opened:
        return [raw]
    if not loopback.means(wanted):
        return []
    if wanted.port in loopback.own or wanted.port in loopback.local:
        return [encode(wanted.family, loopback.address, wanted.port)]
    if wanted.port == 0 or wanted.port >= DYNAMIC:
        return [encode(wanted.family, loopback.address, port) for port in loopback.free_ports()]
    return []


def bound(wanted: bytes, got: bytes, loopback: Loopback) -> None:
    """Remember which port stands for the one that was asked for."""
    asked, given = Address.parse(wanted), Address.parse(got)
    if given is None or given.port not in loopback.local:
        return
    loopback.used_last = given.port
    if asked is not None and asked.port >= DYNAMIC:
        loopback.aliases[asked.port] = given.port


def to_connect(raw: bytes, loopback: Loopback) -> bytes | None:
    """Return where a connection to `raw` really goes, None if nowhere: to another kernel (R34).

    All other ports are Landlock's to judge.
    """
    wanted = Address.parse(raw)
    if wanted is None or not wanted.is_local:
        return raw
    port = loopback.aliases.get(wanted.port, wanted.port)
    if port not in loopback.own and port not in loopback.local:
        return raw
    return encode(wanted.family, loopback.address, port) if loopback.means(wanted) else None
