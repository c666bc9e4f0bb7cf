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
"""Bytes of the longest escape that is put together across pieces."""

_BACKSLASH = re.compile(rb"\\(?:u\{?([0-9A-Fa-f]{1,6})\}?|x([0-9A-Fa-f]{2})|([0-7]{3}))")
# Not `html.unescape` of all of it: a picture or an archive would have to become text first.
_ENTITY = re.compile(rb"&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]{0,31});?")
# What may be the beginning of an escape, at the end of a piece.
_BEGUN = {
    b"\\": re.compile(rb"\\(?:u(?:\{?[0-9A-Fa-f]{0,6})?|x[0-9A-Fa-f]?|[0-7]{0,2})?\Z"),
    b"%": re.compile(rb"%[0-9A-Fa-f]?\Z"),
    b"&": re.compile(rb"&(?:#[0-9]{0,40}|#[xX][0-9A-Fa-f]{0,40}|[A-Za-z][A-Za-z0-9]{0,31})?\Z"),
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
    return _BACKSLASH.sub(_escaped, data) if b"\\" in data else data


def _percent(data: bytes) -> bytes:
    return unquote_to_bytes(data) if b"%" in data else data


def _entities(data: bytes) -> bytes:
    if b"&" not in data:
        return data
    return _ENTITY.sub(_named, data)


def _named(match: re.Match[bytes]) -> bytes:
    return html.unescape(match[0].decode("ascii")).encode("utf-8", "replace")


def _escaped(match: re.Match[bytes]) -> bytes:
    digits, base = (match[3], 8) if match[3] else (match[1] or match[2], 16)
    code = int(digits, base)
    if code > 0x10FFFF:
        return match[0]
    return codecs.encode(chr(code), "utf-8", "surrogatepass")


_STEPS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\\": _backslashes,
    b"%": _percent,
    b"&": _entities,
}
"""By what each kind of escape begins with, in the order in which they are undone."""
