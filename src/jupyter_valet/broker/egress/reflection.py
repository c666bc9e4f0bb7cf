"""Does an answer contain the credential? Whole-token match over the usual encodings.

An API that echoes the request would hand the kernel the token (R93–R109). A match withholds the
whole answer: replacing slices of it would be an oracle by which a caller reads the token character
by character (R142), so nothing here replaces anything.

Both sides are reduced to what survives transport: only letters and digits are compared, so
line breaks, spaces, quotes, commas and percent signs between the characters hide nothing. What an
upstream computes on the caller's order (rot13, slices) is out of reach and declared (R138–R140).
"""

from __future__ import annotations

import base64
import codecs
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

_ROUNDS = 3
"""How many layers of escaping are undone."""

_NOT_ALNUM = bytes(b for b in range(256) if not chr(b).isascii() or not chr(b).isalnum())
_ESCAPE = re.compile(rb"\\(?:u\{?([0-9A-Fa-f]{1,6})\}?|x([0-9A-Fa-f]{2})|([0-7]{3}))")
_SHORT = 8
"""Below this many letters and digits a reduced token would match by chance: compare verbatim."""


class Reflection:
    """The needles of one credential, made once per request and forgotten with it.

    `carried` are further texts that went out and give the credential away, looked for as they are.
    """

    __slots__ = ("_exact", "_folded", "_verbatim")

    def __init__(self, token: bytes, *carried: bytes) -> None:
        reduced = _reduce(token)
        self._verbatim = (token, *carried)
        self._folded: tuple[bytes, ...] = ()
        self._exact: tuple[bytes, ...] = ()
        if len(reduced) >= _SHORT:
            self._folded = tuple(set(_folded_needles(token)))
            self._exact = tuple(set(_base64_needles(token)))

    def __repr__(self) -> str:
        return "Reflection(…)"

    def found_in(self, *parts: bytes) -> bool:
        """Tell whether any of `parts` (a body, header values) contains the token in some form."""
        # Together: most of the cost is per text, not per byte. What is between them falls out when
        # they are reduced, so the worst that it does is to find too much.
        return any(map(self._in_variant, _variants(b"\n".join(parts))))

    def _in_variant(self, data: bytes) -> bool:
        if any(map(data.__contains__, self._verbatim)):
            return True
        reduced = _reduce(data)
        if any(map(reduced.__contains__, self._exact)):
            return True
        return any(map(reduced.lower().__contains__, self._folded))


def _reduce(data: bytes) -> bytes:
    return data.translate(None, _NOT_ALNUM)


def _folded_needles(token: bytes) -> Iterator[bytes]:
    """Yield the forms in which upper and lower case do not matter, reduced and in lower case."""
    plain = _reduce(token).lower()
    yield plain
    yield plain[::-1]
    yield token.hex().encode()
    yield token[::-1].hex().encode()
    yield "".join(str(byte) for byte in token).encode()
    for shift in range(5):
        encoded = base64.b32encode(bytes(shift) + token)
        yield _reduce(_inner(encoded, shift, token, group=5, letters=8)).lower()


def _base64_needles(token: bytes) -> Iterator[bytes]:
    """Yield base64 at its three alignments (standard and URL-safe reduce to nearly the same)."""
    for source in (token, token[::-1]):
        for shift in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                encoded = encode(bytes(shift) + source)
                yield _reduce(_inner(encoded, shift, source, group=3, letters=4))


def _inner(encoded: bytes, shift: int, token: bytes, *, group: int, letters: int) -> bytes:
    """Return the letters of `encoded` that depend on the token alone, not on its neighbours."""
    start = -(-shift * letters // group)
    stop = (shift + len(token)) * letters * 8 // (group * 8)
    return encoded[start:stop]


def _variants(data: bytes) -> Iterator[bytes]:
    """Yield `data` as it is and with one more layer of escaping undone each time."""
    for _ in range(_ROUNDS):
        yield data
        decoded = _unescape(data)
        if decoded == data:
            return
        data = decoded
    yield data


def _unescape(data: bytes) -> bytes:
    if b"\\" in data:
        data = _ESCAPE.sub(_escaped, data)
    if b"%" in data:
        data = unquote_to_bytes(data)
    if b"&" in data:
        data = html.unescape(data.decode("utf-8", "replace")).encode("utf-8", "replace")
    return data


def _escaped(match: re.Match[bytes]) -> bytes:
    digits, base = (match[3], 8) if match[3] else (match[1] or match[2], 16)
    code = int(digits, base)
    if code > 0x10FFFF:
        return match[0]
    return codecs.encode(chr(code), "utf-8", "surrogatepass")
