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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .unescaping import unescape

ROUNDS = 3
"""How many layers of escaping are undone."""

_NOT_ALNUM = bytes(b for b in range(256) if not chr(b).isascii() or not chr(b).isalnum())
_PIECE = 4
"""Letters by which it is told that a text holds no needle."""
_FEW = 2048
"""Up to so many letters that is quicker than looking for each needle."""
_SHORT = 8
"""Below this many letters and digits a reduced token would match by chance: compare verbatim."""


@dataclass(frozen=True, repr=False)
class Needles:
    """The forms of one credential that are looked for."""

    verbatim: tuple[bytes, ...]
    """As they are, in the text as it is."""
    exact: tuple[bytes, ...] = ()
    """Among the letters and digits."""
    folded: tuple[bytes, ...] = ()
    """Among the letters and digits in lower case."""

    @cached_property
    def _pieces(self) -> frozenset[bytes]:
        every = [needle.lower() for needle in (*self.exact, *self.folded)]
        return frozenset(n[i : i + _PIECE] for n in every for i in range(len(n) - _PIECE + 1))

    @cached_property
    def _step(self) -> int:
        return min(map(len, (*self.exact, *self.folded)), default=0) - _PIECE + 1

    def in_text(self, text: bytes) -> bool:
        """Tell whether one is in `text`, as it is."""
        return any(map(text.__contains__, self.verbatim))

    def in_letters(self, letters: bytes, folded: bytes) -> bool:
        """Tell whether one is in the reduced `letters`, or in them in lower case."""
        return self._may_be_in(folded) and self._is_in(letters, folded)

    def _may_be_in(self, folded: bytes) -> bool:
        """Tell whether a text may hold one; of most, a few pieces tell that it does not.

        A needle has at least `_step + _PIECE - 1` letters, so one of these pieces is all in it.
        """
        step, size = self._step, len(folded)
        if step < _PIECE or size > _FEW:
            return True
        pieces = map(slice, range(0, size, step), range(_PIECE, size + _PIECE, step))
        return not self._pieces.isdisjoint(map(folded.__getitem__, pieces))

    def _is_in(self, letters: bytes, folded: bytes) -> bool:
        return any(map(letters.__contains__, self.exact)) or any(
            map(folded.__contains__, self.folded)
        )


class Reflection:
    """The needles of one credential, made once per request and forgotten with it.

    `carried` are further texts that went out and give the credential away, looked for as they are.
    """

    __slots__ = ("needles",)

    def __init__(self, token: bytes, *carried: bytes) -> None:
        verbatim = tuple(filter(None, (token, *carried)))  # what is empty is in every text
        if len(reduced(token)) < _SHORT:
            self.needles = Needles(verbatim)
            return
        folded, exact = set(_folded_needles(token)), set(_base64_needles(token))
        self.needles = Needles(verbatim, tuple(exact), tuple(folded))

    def __repr__(self) -> str:
        return "Reflection(…)"

    def found_in(self, *parts: bytes) -> bool:
        """Tell whether any of `parts` (a body, header values) contains the token in some form."""
        # Together: most of the cost is per text, not per byte. What is between them falls out when
        # they are reduced, so the worst that it does is to find too much.
        return any(map(self._in_variant, _variants(b"\n".join(parts))))

    def _in_variant(self, data: bytes) -> bool:
        if self.needles.in_text(data):
            return True
        letters = reduced(data)
        return self.needles.in_letters(letters, letters.lower())


def reduced(data: bytes) -> bytes:
    """Return the letters and digits of `data`."""
    return data.translate(None, _NOT_ALNUM)


def _folded_needles(token: bytes) -> Iterator[bytes]:
    """Yield the forms in which upper and lower case do not matter, reduced and in lower case."""
    plain = reduced(token).lower()
    yield plain
    yield plain[::-1]
    yield token.hex().encode()
    yield token[::-1].hex().encode()
    yield "".join(str(byte) for byte in token).encode()
    yield "".join(f"0x{byte:02x}" for byte in token).encode()
    undone = reduced(unescape(token)).lower()  # what undoing does to the text, it does to the token
    if len(undone) >= _SHORT:
        yield undone
    for shift in range(5):
        encoded = base64.b32encode(bytes(shift) + token)
        yield reduced(_inner(encoded, shift, token, group=5, letters=8)).lower()


def _base64_needles(token: bytes) -> Iterator[bytes]:
    """Yield base64 at its three alignments (standard and URL-safe reduce to nearly the same)."""
    for source in (token, token[::-1]):
        for shift in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                encoded = encode(bytes(shift) + source)
                yield reduced(_inner(encoded, shift, source, group=3, letters=4))


def _inner(encoded: bytes, shift: int, token: bytes, *, group: int, letters: int) -> bytes:
    """Return the letters of `encoded` that depend on the token alone, not on its neighbours."""
    start = -(-shift * letters // group)
    stop = (shift + len(token)) * letters * 8 // (group * 8)
    return encoded[start:stop]


def _variants(data: bytes) -> Iterator[bytes]:
    """Yield `data` as it is and with one more layer of escaping undone each time."""
    for _ in range(ROUNDS):
        yield data
        decoded = unescape(data)
        if decoded == data:
            return
        data = decoded
    yield data
