"""As much of HTTP/1.1 as one call of a tool needs (RFC 9112): bytes out, a whole answer in.

No I/O. llhttp judges every byte of an answer, in its strict mode; what is here decides which answer
is meant, where it ends when the connection does, and how much of it there may be.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

import httptools

from ...wire import heads

_HEAD_LIMIT = 65536
"""Bytes of an answer's head, all interim answers included."""

_FOLD = re.compile(rb"\r\n[ \t]+")
_HEAD_END = b"\r\n\r\n"
_WITHOUT_BODY = frozenset({"GET", "HEAD"})
"""Methods that say nothing about a body they do not have (RFC 9110 §8.6)."""

_CODINGS = ("transfer-encoding", "content-encoding")
"""Headers of which none may be overlooked: each line changes what the body means."""

_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class Malformed(Exception):
    """What came is no answer, or not all of one."""


class TooLarge(Exception):
    """The body is larger than it may be."""


def request(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return a whole request. Raises `ValueError` for a line that holds another."""
    lines = [f"{method} {target} HTTP/1.1", *map("%s: %s".__mod__, headers.items())]
    if body is not None or method not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {len(body or b'')}")
    return heads.joined(lines).encode() + _HEAD_END + (body or b"")


class Reader:
    """Reads the answer to one request as it arrives. It is llhttp's listener, too."""

    def __init__(self, method: str, limit: int) -> None:
        """Take the request's method and the largest body, in bytes, before and after unpacking."""
        self.status = 0
        self.head = b""
        """The head as it came, but for folded lines: what an upstream could echo into."""
        self.headers: dict[str, str] = {}
        """Names are in lower case; of what comes several times, the last."""
        self.began = False
        """Whether anything came at all."""
        self.keeps = False
        """Whether the connection is good for another request."""
        self._method = method
        self._limit = limit
        self._waiting = b""
        self._heads = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._in_head = True
        self._whole = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bool:
        """Take bytes; return whether the answer is whole. Raises `Malformed` and `TooLarge`."""
        self.began = True
        while self._in_head:
            head, end, data = (self._waiting + data).partition(_HEAD_END)
            self._heads += len(head)
            if self._heads > _HEAD_LIMIT:
                raise Malformed("a head without end")
            if not end:
                self._heads -= len(head)
                self._waiting = head
                return False
            self._waiting = b""
            self._read_head(head + end)
        if data:
            self._read_body(data)
        return self._whole

    def end(self) -> bool:
        """Take the connection's end; return whether the answer is whole by it (RFC 9112 §6.3)."""
        framed = "content-length" in self.headers or "transfer-encoding" in self.headers
        return not self._in_head and not framed

    def body(self) -> bytes:
        """Return the body, unpacked. Raises `Malformed` and `TooLarge`."""
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        encoding = self.headers.get("content-encoding", "").strip().lower()
        window = _WINDOW.get(encoding)
        return body if window is None or not body else _unpacked(body, window, self._limit)

    def _read_head(self, head: bytes) -> None:
        if b"\r\n " in head or b"\r\n\t" in head:
            head = _FOLD.sub(b" ", head)  # RFC 9112 §5.2
        self.head = head
        self._parse(head)
        if not 100 <= self.status <= 199:
            self._in_head = False
            self._check_framing()
        elif self.status == 101 or not self._whole:
            raise Malformed("not an interim answer")
        else:
            self._whole = False
            self.headers.clear()

    def _check_framing(self) -> None:
        coding = self.headers.get("transfer-encoding", "chunked")
        if self.status == 0 or coding.strip().lower() != "chunked":
            raise Malformed("its end is not clear")
        if self._method == "HEAD":
            self._whole = True

    def _read_body(self, data: bytes) -> None:
        if self._whole:
            self.keeps = False  # somebody answers more than was asked (R133)
            return
        self._parse(data)
        if self._size > self._limit:
            raise TooLarge

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._whole or self._in_head:
                raise Malformed("not HTTP/1.1") from None
            self.keeps = False

    # What llhttp tells -----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Notice what follows the answer."""
        if self._whole:
            self.keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, but no trailer (R109)."""
        if self._in_head:
            field = name.decode("ascii").lower()
            text = value.decode("utf-8", "surrogateescape").rstrip(" \t")  # RFC 9112 §5.1
            if field in _CODINGS and field in self.headers:
                text = f"{self.headers[field]}, {text}"
            self.headers[field] = text

    def on_headers_complete(self) -> None:
        """Keep the status of what is an answer, and of no second one."""
        if self._in_head:
            self.status = self._parser.get_status_code()
            self.keeps = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body, as long as it may have one."""
        if not self._whole:
            self._size += len(body)
            if self._size <= self._limit:
                self._parts.append(body)

    def on_message_complete(self) -> None:
        """Note the end."""
        self._whole = True


def _unpacked(body: bytes, window: int, limit: int) -> bytes:
    """Return what a compressed body is, as far as it is not a bomb (RFC 9110 §8.4.1)."""
    if window == zlib.MAX_WBITS and body[0] & 0x0F != 8:
        window = -zlib.MAX_WBITS  # servers that take "deflate" by its name send it bare
    found = b""
    try:
        while body:
            unpacking = zlib.decompressobj(window)
            found += unpacking.decompress(body, limit + 1 - len(found))
            if len(found) > limit:
                raise TooLarge
            if not unpacking.eof:
                raise Malformed("a body that was cut off")
            body = unpacking.unused_data  # RFC 1952 §2.2: members may follow each other
    except zlib.error:
        raise Malformed("a body that cannot be unpacked") from None
    return found
