"""HTTP to the broker's loopback listener, on the standard library alone.

Connections are kept and shared by all threads. Every wait is cut into short slices, so that
Interrupt and a cancelled task take effect at once on every platform, and a broker that restarts
is waited for.
"""

from __future__ import annotations

import http.client
import io
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Stop = Callable[[], bool]

SLICE = 0.2
"""Seconds between two looks at the caller's wish to stop. Data that arrives is never delayed."""

CONNECT_TIMEOUT = 5.0
MAX_BODY = 64_000_000
"""Bytes of one answer: more is a fault, not data."""

_MAX_IDLE = 8
_REST_SECONDS = 0.25


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


@dataclass(frozen=True)
class Request:
    """One HTTP request; `idle` is the longest silence in seconds before it is given up (MC-07)."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    repeatable: bool = False
    """Whether sending it twice does no harm, so that it may be repeated when the answer is lost."""
    idle: float = 60.0


class Transport:
    """Sends requests to one broker with one capability; safe to use from any thread."""

    def __init__(self, host: str, port: int, capability: str, *, patience: float = 30.0) -> None:
        self._address = (host, port)
        self._authorization = f"Bearer {capability}"
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
        connection = self._pool.take() or self._connect()
        kept = False
        try:
            answer = self._answer(connection, request, stop)
            try:
                value = read(answer)
            except (OSError, http.client.HTTPException) as error:
                raise Lost(sent=True) from error
            kept = answer.finished and connection.sock is not None
            return value
        finally:
            if kept:
                self._pool.give(connection)
            else:
                connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(*self._address, timeout=CONNECT_TIMEOUT)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise Lost(sent=False) from error
        return connection

    def _answer(
        self, connection: http.client.HTTPConnection, request: Request, stop: Stop
    ) -> Answer:
        headers = {"Authorization": self._authorization, **request.headers}
        wait = _Wait(stop, request.idle)
        connection.response_class = _patient_response(wait)  # type: ignore[assignment]
        try:
            connection.request(request.method, request.path, request.body, headers)
            return Answer(connection.getresponse(), wait)
        except (OSError, http.client.HTTPException) as error:
            raise Lost(sent=True) from error


class Answer:
    """An HTTP answer whose body has not been read yet."""

    def __init__(self, response: http.client.HTTPResponse, wait: _Wait) -> None:
        self._response, self._wait = response, wait
        self.status = response.status
        self.content_type = response.headers.get_content_type()

    @property
    def finished(self) -> bool:
        """Whether the body was read to its end, so that the connection can be used again."""
        return self._response.isclosed()

    def body(self) -> bytes:
        """Return the whole body. Raises `OSError` when it is larger than `MAX_BODY`."""
        data = self._response.read(MAX_BODY + 1)
        if len(data) > MAX_BODY:
            raise OSError("the answer is too large")
        if not self._response.isclosed():
            self._response.read(1)  # the end of a chunked body
        return data

    def lines(self) -> Iterator[bytes]:
        """Yield the body's lines as they arrive, without their line ends."""
        total = 0
        while line := self._response.readline(MAX_BODY + 1):
            total += len(line)
            if total > MAX_BODY:
                raise OSError("the answer is too large")
            yield line.rstrip(b"\r\n")

    def skip_rest(self) -> None:
        """Read to the end of a stream whose news is in, if it is near: keeps the connection."""
        self._wait.idle = _REST_SECONDS
        try:
            for _ in self.lines():
                pass
        except (OSError, http.client.HTTPException):
            return  # no end in sight: the connection is closed instead


class _Pool:
    """Idle connections. A forked child starts with none: a socket must not have two owners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._pid = os.getpid()

    def take(self) -> http.client.HTTPConnection | None:
        """Return a connection that is still open, or None."""
        while True:
            with self._lock:
                self._drop_inherited()
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.sock is not None and not _readable(connection.sock, 0):
                return connection
            connection.close()  # readable while idle means: the broker closed it

    def give(self, connection: http.client.HTTPConnection) -> None:
        """Keep `connection` for the next request."""
        with self._lock:
            self._drop_inherited()
            if len(self._idle) < _MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def clear(self) -> None:
        """Close every idle connection."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _drop_inherited(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._idle = os.getpid(), []


class _Wait:
    """How long to wait for the next bytes, and who may end the wait."""

    def __init__(self, stop: Stop, idle: float) -> None:
        self.stop, self.idle = stop, idle

    def readable(self, sock: socket.socket) -> None:
        """Wait for data. Raises `Stopped`, and `TimeoutError` after `idle` seconds of silence."""
        deadline = time.monotonic() + self.idle
        while True:
            if self.stop():
                raise Stopped
            left = deadline - time.monotonic()
            if _readable(sock, max(0.0, min(SLICE, left))):
                return
            if left <= 0:
                raise TimeoutError("the broker is silent")


class _PatientSocket:
    """The socket as `http.client` reads it: each read waits in slices."""

    def __init__(self, sock: socket.socket, wait: _Wait) -> None:
        self._sock, self._wait = sock, wait

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the reader that `http.client.HTTPResponse` asks for."""
        return io.BufferedReader(_PatientReader(self._sock, self._wait))


class _PatientReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, wait: _Wait) -> None:
        self._sock, self._wait = sock, wait
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open until this is closed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._wait.readable(self._sock)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def _patient_response(wait: _Wait) -> Callable[..., http.client.HTTPResponse]:
    def make(sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(
            _PatientSocket(sock, wait),  # type: ignore[arg-type]
            *args,
            **kwargs,
        )

    return make


def _readable(sock: socket.socket, timeout: float) -> bool:
    """Tell whether data or an end of file is there within `timeout` seconds."""
    if hasattr(select, "poll"):  # no limit on the number of the descriptor
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(timeout * 1000))
    return bool(select.select([sock], [], [], timeout)[0])


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
