"""Where a request goes: only to vetted addresses, by connections that are shared with nobody.

A pool belongs to one kernel of one person and to one origin: on a shared connection one caller's
bytes can become part of the next caller's exchange (R129).
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct

from .origin import AddressRefused, Origin, permitted, resolve

POOLS = 64
"""How many pools may be open; the one that was used longest ago, and through which nothing is
passed on just now, is closed for another."""

_BUFFER = 64 * 1024
"""Bytes after twice which an upstream that sends faster than it is read has to wait."""

KEEPALIVE = 15.0
"""Seconds an idle connection is kept: below what servers commonly allow, so that a request is
seldom written to a connection that is already closed."""


class Destination(Struct, frozen=True):
    """Whose connection, and where to. `loopback` is the provider profile's opt-in."""

    principal: str
    origin: Origin
    loopback: bool


async def vetted(destination: Destination) -> list[AddrInfoType]:
    """Look the destination up once and return where to dial, all of it vetted (R132)."""
    addresses = await resolve(destination.origin, loopback=destination.loopback)
    return [_dialled(address, destination.origin.port) for address in addresses]


def _dialled(address: str, port: int) -> AddrInfoType:
    tcp = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    if ":" in address:
        return (socket.AF_INET6, *tcp, (address, port, 0, 0))
    return (socket.AF_INET, *tcp, (address, port))


class VettedResolver(AbstractResolver):
    """Answers with addresses that were resolved once and vetted; aiohttp dials those (R132)."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of the destination; any other host is refused."""
        origin = self._destination.origin
        if (host, port) != (origin.host, origin.port):
            raise AddressRefused(host)
        addresses = await resolve(origin, loopback=self._destination.loopback)
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        """Nothing is open."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


class QuietConnector(aiohttp.TCPConnector):
    """Uses a connection again only if nothing was said on it since the last answer's end.

    aiohttp takes bytes that come in between for the answer to the next request. A server that can
    be made to split an answer in two would so answer somebody else (R133).
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None


class Pools:
    """The open sessions, by destination."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._sessions: OrderedDict[Destination, aiohttp.ClientSession] = OrderedDict()
        self._streaming: Counter[Destination] = Counter()

    def __contains__(self, destination: object) -> bool:
        return destination in self._sessions

    def __iter__(self) -> Iterator[Destination]:
        return iter(self._sessions)

    def __len__(self) -> int:
        return len(self._sessions)

    async def session(self, destination: Destination) -> aiohttp.ClientSession:
        """Return the session for `destination`. Raises `AddressRefused`."""
        session = self._sessions.pop(destination, None)
        if session is None:
            session = self._open(destination)
        self._sessions[destination] = session
        idle = (d for d in list(self._sessions) if d not in self._streaming and d != destination)
        while len(self._sessions) > POOLS and (oldest := next(idle, None)) is not None:
            await self._sessions.pop(oldest).close()
        return session

    @contextmanager
    def streaming(self, destination: Destination) -> Iterator[None]:
        """Keep the session of `destination` open, however long ago it was asked for."""
        self._streaming[destination] += 1
        try:
            yield
        finally:
            self._streaming[destination] -= 1
            if not self._streaming[destination]:
                del self._streaming[destination]

    def _open(self, destination: Destination) -> aiohttp.ClientSession:
        host = destination.origin.host
        # aiohttp does not ask a resolver about a host that is a number.
        if host.rpartition(".")[2].isdigit() and not permitted(host, loopback=destination.loopback):
            raise AddressRefused(host)
        connector = QuietConnector(
            resolver=VettedResolver(destination),
            use_dns_cache=False,
            keepalive_timeout=KEEPALIVE,
            ssl=self._tls or True,
        )
        return aiohttp.ClientSession(
            read_bufsize=_BUFFER,
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            # Without a body there is no type of one; aiohttp would say application/octet-stream.
            skip_auto_headers=("Content-Type",),
        )

    async def close(self) -> None:
        """Close every session."""
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()
