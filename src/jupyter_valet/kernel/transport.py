"""HTTP to the broker's loopback listener, on the standard library alone.

Connections are kept and shared by all threads. Every wait is cut into short slices, so that
Interrupt and a cancelled task take effect at once on every platform, and a broker that restarts
is waited for.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from ..wire.sockets import Readable
from . import http1

T = TypeVar("T")
Stop = Callable[[], bool]

SLICE = 0.2
"""Seconds between two looks at the caller's wish to stop. Data that arrives is never delayed."""

CONNECT_TIMEOUT = 5.0
MAX_BODY = 64_000_000
"""Bytes of one answer: more is a fault, not data."""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_MAX_IDLE = 8
_REST_SECONDS = 0.25
_PIECE = 65536


class Stopped(Exception):
    """The caller no longer wants the answer; the connection was dropped, which cancels the call."""


class Lost(Exception):
    """The broker went away. `sent` tells whether it may have seen the request."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the broker went away")
        self.sent = sent


def never() -> bool:
    """Return False: the caller always wants the answer."""
    return False


class Request(NamedTuple):
    """One HTTP request; `idle` is the longest silence in seconds before it is given up (MC-07)."""

    method: str
    path: str
    headers: Mapping[str, str] = _NO_HEADERS
    body: bytes | None = None
    repeatable: bool = False
    """Whether sending it twice does no harm, so that it may be repeated when the answer is lost."""
    idle: float = 60.0


class Transport:
    """Sends requests to one broker with one capability; safe to use from any thread."""

    def __init__(self, host: str, port: int, capability: str, *, patience: float = 30.0) -> None:
        self._address = (host, port)
        shown = f"[{host}]" if ":" in host else host
        self._headers = {"Host": f"{shown}:{port}", "Authorization": f"Bearer {capability}"}
        self._patience = patience
        self._pool = _Pool()

    def fetch(
        self,
        request: Request,
        read: Callable[[Answer], T],
        *,
        stop: Stop = never,
        patience: float | None = None,
    ) -> T:
        """Send `request` and return what `read` makes of the answer.

        Waits up to `patience` seconds for a broker that restarts. Raises `Lost` when it does not
        come back, or when it went away in the middle of a request that may not be repeated, and
        `Stopped` as soon as `stop()` is true.
        """
        deadline = time.monotonic() + (self._patience if patience is None else patience)
        pause = 0.05
        while True:
            try:
                return self._once(request, read, stop)
            except Lost as lost:
                if (lost.sent and not request.repeatable) or time.monotonic() >= deadline:
                    raise
            _sleep(min(pause, max(0.0, deadline - time.monotonic())), stop)
            pause = min(pause * 2, 1.0)

    def close(self) -> None:
        """Drop the idle connections."""
        self._pool.clear()

    def _once(self, request: Request, read: Callable[[Answer], T], stop: Stop) -> T:
        headers = {**self._headers, **request.headers}
        data = http1.request(request.method, request.path, headers, request.body)
        connection = self._pool.take() or self._connect()
        kept = False
        try:
            try:
                connection.sock.sendall(data)
                answer = Answer(_Wait(connection, stop, request.idle))
                value = read(answer)
            except OSError as error:
                raise Lost(sent=True) from error
            kept = answer.finished
            return value
        finally:
            if kept:
                self._pool.give(connection)
            else:
                connection.sock.close()

    def _connect(self) -> _Connection:
        try:
            sock = socket.create_connection(self._address, timeout=CONNECT_TIMEOUT)
        except OSError as error:
            raise Lost(sent=False) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Connection(sock)


class Answer:
    """An HTTP answer whose body has not been read yet."""

    def __init__(self, wait: _Wait) -> None:
        self._wait = wait
        self._response = http1.Response(wait.receive)
        self.status = self._response.status
        media_type = self._response.headers.get("content-type", "")
        self.content_type = media_type.partition(";")[0].strip().lower()

    @property
    def finished(self) -> bool:
        """Whether the body was read to its end, so that the connection can be used again."""
        return self._response.finished

    def body(self) -> bytes:
        """Return the whole body. Raises `OSError` when it is larger than `MAX_BODY`."""
        whole = self._response.body()
        return b"".join(self._pieces()) if whole is None else whole

    def lines(self) -> Iterator[bytes]:
        """Yield the body's lines as they arrive, without their line ends."""
        begun: list[bytes] = []
        for piece in self._pieces():
            *ends, rest = piece.split(b"\n")
            for end in ends:
                yield b"".join([*begun, end]).rstrip(b"\r")
                begun = []
            begun.append(rest)
        if last := b"".join(begun):
            yield last

    def skip_rest(self) -> None:
        """Read to the end of a stream whose news is in, if it is near: keeps the connection."""
        self._wait.idle = _REST_SECONDS
        with contextlib.suppress(OSError):  # no end in sight: the connection is closed instead
            for _ in self._pieces():
                pass

    def _pieces(self) -> Iterator[bytes]:
        total = 0
        for piece in self._response.pieces():
            total += len(piece)
            if total > MAX_BODY:
                raise OSError("the answer is too large")
            yield piece


class _Connection:
    """One connection, for one exchange at a time."""

    __slots__ = ("says", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.says = Readable(sock)


class _Pool:
    """Idle connections. A forked child starts with none: a socket must not have two owners."""

    def __init__(self) -> None:
        self.begin()
        _pools.add(self)

    def begin(self) -> None:
        """Have no connections; another thread may have held the lock when this process began."""
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []

    def take(self) -> _Connection | None:
        """Return a connection that is still open, or None."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not connection.says.within():
                return connection
            connection.sock.close()  # readable while idle means: the broker closed it

    def give(self, connection: _Connection) -> None:
        """Keep `connection` for the next request."""
        with self._lock:
            if len(self._idle) < _MAX_IDLE:
                self._idle.append(connection)
                return
        connection.sock.close()

    def clear(self) -> None:
        """Close every idle connection."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.sock.close()


_pools: weakref.WeakSet[_Pool] = weakref.WeakSet()


def _begin_anew() -> None:
    for pool in list(_pools):
        pool.begin()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_begin_anew)


class _Wait:
    """How long to wait for the next bytes of a connection, and who may end the wait."""

    def __init__(self, connection: _Connection, stop: Stop, idle: float) -> None:
        self._connection = connection
        self.stop, self.idle = stop, idle

    def receive(self) -> bytes:
        """Return what arrives; nothing at the end of the connection.

        Raises `Stopped`, and `TimeoutError` after `idle` seconds of silence.
        """
        deadline = time.monotonic() + self.idle
        left = self.idle
        while True:
            if self.stop():
                raise Stopped
            if self._connection.says.within(max(0.0, min(SLICE, left))):
                return self._connection.sock.recv(_PIECE)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the broker is silent")


def _sleep(seconds: float, stop: Stop) -> None:
    """Sleep in slices. Raises `Stopped` when the caller no longer wants to wait."""
    deadline = time.monotonic() + seconds
    while True:
        if stop():
            raise Stopped
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, SLICE))
