"""Undoing one layer of escaping, of a whole text or of one that comes in pieces.

What survives transport in many spellings is compared in one (R96, R103, R104).
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

LONGEST = 48
"""Bytes of the longest escape that is put together across pieces, but for zeros that pad it."""

_LONGEST_NUMBER = 7
"""Decimal digits of the largest code point, without zeros before it."""
# JSON's \u has four digits (RFC 8259 §7), whatever stands behind them; fewer are no language's.
# A backslash may be escaped itself, however often: the last one before a letter counts.
_BACKSLASH = re.compile(
    rb"\\(?:u([0-9A-Fa-f]{4})|[ux]\{0*([0-9A-Fa-f]{1,6})\}|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})"
    rb"|u\{?([0-9A-Fa-f]{1,6})|([0-7]{3}))"
)
# What encoders of JSON write between the lines of a text, and PHP's for each slash.
_SHORT = ((b"\\n", b"\n"), (b"\\r", b"\r"), (b"\\t", b"\t"), (b"\\/", b"/"))
# Not `html.unescape` of all of it: a picture or an archive would have to become text first.
_ENTITY = re.compile(rb"&(?:#0*([0-9]+)|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]{0,31});?")
# What may be the beginning of an escape, at the end of a piece.
_BEGUN = {
    b"\\": re.compile(
        rb"\\(?:u[0-9A-Fa-f]{0,3}|[ux]\{[0-9A-Fa-f]{0,40}|U[0-9A-Fa-f]{0,7}|x[0-9A-Fa-f]?"
        rb"|[0-7]{0,2})?\Z"
    ),
    b"%": re.compile(rb"%[0-9A-Fa-f]?\Z"),
    b"&": re.compile(rb"&(?:#[0-9]{0,40}|#[xX][0-9A-Fa-f]{0,40}|[A-Za-z][A-Za-z0-9]{0,31})?\Z"),
}

# Zeros before a number, of which there may be any number: none of them says anything.
_PADDED = {
    b"\\": re.compile(rb"(\\[ux]\{)0+(?=[0-9A-Fa-f])"),
    b"&": re.compile(rb"(&#[xX]?)0+(?=[0-9A-Fa-f])"),
}


def unescape(data: bytes) -> bytes:
    """Return `data` with one layer of escaping undone, the same object when there is none."""
    for step in _STEPS.values():
        data = step(data)
    return data


class Layer:
    """One layer of escaping, undone in a text that comes in pieces."""

    def __init__(self) -> None:
        self._held = dict.fromkeys(_STEPS, b"")
        self.touched = False
        """Whether anything was escaped so far, or is about to be."""

    def feed(self, piece: bytes, *, last: bool = False) -> bytes:
        """Return what can be read now; an escape that is not complete waits for the next piece."""
        for mark, step in _STEPS.items():
            text = self._held[mark] + piece if self._held[mark] else piece
            if mark in _PADDED and mark in text:
                text = _PADDED[mark].sub(rb"\1", text)
            cut = len(text) if last else _complete(text, mark)
            self._held[mark] = text[cut:]
            text = text if cut == len(text) else text[:cut]
            piece = step(text)
            self.touched = self.touched or bool(self._held[mark]) or piece != text
        return piece


def _complete(text: bytes, mark: bytes) -> int:
    """Return where the escape begins that `text` breaks off in, else its end."""
    place = text.rfind(mark, max(0, len(text) - LONGEST))
    if place >= 0 and _BEGUN[mark].match(text, place):
        return place
    return len(text)


def _backslashes(data: bytes) -> bytes:
    if b"\\" not in data:
        return data
    for written, meant in _SHORT:
        data = data.replace(written, meant)
    return _BACKSLASH.sub(_escaped, data) if b"\\" in data else data


def _percent(data: bytes) -> bytes:
    return unquote_to_bytes(data) if b"%" in data else data


def _entities(data: bytes) -> bytes:
    if b"&" not in data:
        return data
    return _ENTITY.sub(_named, data)


def _named(match: re.Match[bytes]) -> bytes:
    entity = match[0]
    if match[1]:
        if len(match[1]) > _LONGEST_NUMBER:
            return "\N{REPLACEMENT CHARACTER}".encode()
        entity = b"&#%b;" % match[1]  # Python refuses to read long numbers, be they zeros or not
    return html.unescape(entity.decode("ascii")).encode("utf-8", "replace")


def _escaped(match: re.Match[bytes]) -> bytes:
    octal = match[6]
    code = int(octal, 8) if octal else int(next(filter(None, match.groups())), 16)
    if code > 0x10FFFF:
        return match[0]
    return codecs.encode(chr(code), "utf-8", "surrogatepass")


_STEPS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\\": _backslashes,
    b"%": _percent,
    b"&": _entities,
}
"""By what each kind of escape begins with, in the order in which they are undone."""
