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
from dataclasses import dataclass

_IPV4, _IPV6 = struct.Struct("=H2s4s8s"), struct.Struct("=H2sI16sI")
_MAPPED = b"\0" * 10 + b"\xff\xff"


@dataclass(frozen=True)
class Loopback:
    """What a kernel may use of TCP ports."""

    address: str
    """The kernel's own loopback address, IPv4."""
    own: frozenset[int]
    """Given to the kernel for its messages with the server."""
    local: tuple[int, ...]
    """For whatever runs in the kernel; browsers refuse them."""
    opened: frozenset[int]
    """Opened by the person: reachable from everywhere."""


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
    def is_local(self) -> bool:
        """Whether it means this machine's loopback, or any address of it."""
        host = self.host
        if isinstance(host, ipaddress.IPv6Address):
            host = host.ipv4_mapped or host
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
    if not wanted.is_local and str(wanted.host) != loopback.address:
        return []
    if wanted.port in loopback.own or wanted.port in loopback.local:
        return [encode(wanted.family, loopback.address, wanted.port)]
    if wanted.port == 0:
        return [encode(wanted.family, loopback.address, port) for port in loopback.local]
    return []


def to_connect(raw: bytes, loopback: Loopback) -> bytes:
    """Return where a connection to `raw` really goes; ports are Landlock's to judge."""
    wanted = Address.parse(raw)
    if wanted is None or wanted.port not in loopback.local or not wanted.is_local:
        return raw
    return encode(wanted.family, loopback.address, wanted.port)
