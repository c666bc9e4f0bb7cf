"""As much of HTTP/1.1 as the broker's listener speaks (RFC 9112): no sockets, only bytes.

`http.client` reads an answer's head with the e-mail parser, which costs a tool call more than all
else that happens in the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from ..wire import heads

_HEAD_LIMIT = 65536
"""Bytes of an answer's head, or of one line between the chunks of its body."""

# Atomic, and possessive below: what was read one way is not tried in every other.
_FIELD = r"(?>([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*?)[ \t]*\r\n)"
_FIELDS = re.compile(_FIELD)
_HEAD = re.compile(rf"HTTP/1\.[01] ([2-5][0-9]{{2}})(?: [^\r\n]*)?\r\n((?:{_FIELD})*+)")
_USUAL = re.compile(
    rb"HTTP/1\.1 200 OK\r\n"
    rb"content-type: (application/json)\r\ncontent-length: ([0-9]{1,15})\r\n\r\n"
)
"""The head of nearly every answer of the broker; `_HEAD` reads it the same, and all others."""
_TARGET = re.compile(r"/[\x21-\x7e]*")
_DIGITS = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?")
_WITHOUT_BODY = (204, 304)

Receive = Callable[[], bytes]
"""Waits for bytes and returns what came; nothing at the end of the connection."""


class Malformed(OSError):
    """What came is not an answer, or it ends too early."""


def request(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return a whole request. Raises `ValueError` for a target or header that holds a line end."""
    head = _head(method, target, tuple(headers.items()))
    if body is None and method != "POST":
        return head + b"\r\n"
    body = body or b""
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


@lru_cache(maxsize=32)
def _head(method: str, target: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return what one call of a tool has in common with the next."""
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers]]
    if not _TARGET.fullmatch(target):
        raise ValueError("the target of a request holds what it must not")
    return heads.joined(lines).encode("latin-1") + b"\r\n"


class Response:
    """An answer, read as it arrives. Everything raises `Malformed` and whatever `receive` does."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._buffer = b""
        self.finished = False
        """Whether the body was read to its end and the connection is good for another request."""
        self.status, self.headers = self._head()
        self._pieces = self._body()
        self._begun = False

    def pieces(self) -> Iterator[bytes]:
        """Yield what is still unread of the body, as it arrives."""
        self._begun = True
        return self._pieces

    def body(self) -> bytes | None:
        """Return the whole body if all of it is there, as it is of most answers, and unread."""
        length = self.headers.get("content-length", "")
        if (
            self._begun
            or not _DIGITS.fullmatch(length)
            or int(length) != len(self._buffer)
            or "transfer-encoding" in self.headers
            or self.status in _WITHOUT_BODY
        ):
            return None
        body, self._buffer = self._buffer, b""
        self._begun, self._pieces = True, iter(())
        self.finished = self._stays
        return body

    @property
    def _stays(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"

    def _head(self) -> tuple[int, dict[str, str]]:
        self._fill()
        if usual := _USUAL.match(self._buffer):
            self._buffer = self._buffer[usual.end() :]
            kind, length = usual.groups()
            return 200, {"content-type": kind.decode(), "content-length": length.decode()}
        head = _HEAD.fullmatch(self._until(b"\r\n\r\n").decode("latin-1") + "\r\n")
        if head is None:
            raise Malformed("a status line or a header is malformed")
        fields = _FIELDS.findall(head[2])
        headers = {name.lower(): value for name, value in fields}
        if len(headers) != len(fields):
            raise Malformed("a header is there twice")
        return int(head[1]), headers

    def _body(self) -> Iterator[bytes]:
        coding = self.headers.get("transfer-encoding")
        length = self.headers.get("content-length")
        if self.status in _WITHOUT_BODY:
            yield from ()
        elif coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise Malformed("the end of the body is not clear")
            yield from self._chunks()
        elif length is not None:
            if not _DIGITS.fullmatch(length):
                raise Malformed("no length")
            yield from self._exactly(int(length))
        else:
            yield from self._rest()
            return
        self.finished = not self._buffer and self._stays

    def _chunks(self) -> Iterator[bytes]:
        while True:
            size = _CHUNK_SIZE.fullmatch(self._until(b"\r\n"))
            if size is None:
                raise Malformed("no chunk")
            if int(size[1], 16) == 0:
                break
            yield from self._exactly(int(size[1], 16))
            if self._until(b"\r\n"):
                raise Malformed("a chunk is longer than it says")
        while self._until(b"\r\n"):
            pass  # trailers

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length > 0:
            if not self._buffer:
                self._fill()
            piece, self._buffer = self._buffer[:length], self._buffer[length:]
            length -= len(piece)
            yield piece

    def _rest(self) -> Iterator[bytes]:
        piece, self._buffer = self._buffer, b""
        while piece:
            yield piece
            piece = self._receive()

    def _until(self, mark: bytes) -> bytes:
        """Return what comes before `mark`, which is read too."""
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise Malformed("a line is too long")
            self._fill()
        found, self._buffer = self._buffer[:end], self._buffer[end + len(mark) :]
        return found

    def _fill(self) -> None:
        data = self._receive()
        if not data:
            raise Malformed("the connection ended early")
        self._buffer += data
