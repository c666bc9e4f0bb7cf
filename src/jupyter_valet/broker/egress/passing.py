"""Passes a body on while it is looked at: what might become the credential waits for the rest.

A body that is not kept whole cannot be withheld whole. So a piece leaves only when nothing at its
end begins the credential in any form that `reflection` knows; when the credential is complete,
nobody gets its last part, nor its first. Of an encoded credential at most `_LETTERS` letters
can have left before its beginning is recognised, so an upstream that can be made to send one letter
at a time tells those, and no more, however often it is asked (R108, R142).

That a piece waits can be seen, and says that its end begins the credential: an upstream that sends
what a caller guesses, a file of theirs for one, would confirm it letter by letter. So the first
third of a form is the credential here. Two forms begin at either end, which leaves a third.
"""

from __future__ import annotations

from .reflection import ROUNDS, Needles, Reflection, reduced
from .unescaping import Layer

_LETTERS = 4
"""Letters of a needle that hold a piece back. Chance holds one back for a moment, too."""

_TELLING = 8
"""Letters that are no chance any more."""

_MOST_HELD = 256 * 1024
"""Bytes that wait at most: a beginning of the credential with so much nothing behind it is either
an accident of fewer letters than `_TELLING`, and let go, or no accident, and withheld."""

_RECENT = 4096
"""Bytes before the first escape of a body that may belong to what comes escaped after it."""


class Found(Exception):
    """The credential is in the body."""


class Passing:
    """One body on its way. Keeps what `Reflection.found_in` would find in all of it, and more.

    Two differences follow from not having the whole: what is spread over more than `_RECENT` bytes
    and escaped in part only, and an escape of more than `unescaping.LONGEST` bytes, but for zeros
    that pad it, are not put together.
    """

    def __init__(self, reflection: Reflection) -> None:
        needles = _thirds(reflection.needles)
        self._plain = _Reading(needles)
        self._rounds = [_Round(needles) for _ in range(ROUNDS)]
        self._waiting: list[bytes] = []
        self._held = 0

    def feed(self, piece: bytes) -> bytes:
        """Return what may leave now. Raises `Found`."""
        begun = self._look(piece, last=False)
        self._waiting.append(piece)
        self._held += len(piece)
        if begun >= (_LETTERS if self._held <= _MOST_HELD else _TELLING):
            if self._held > _MOST_HELD:
                raise Found
            return b""
        return self._rest()

    def end(self) -> bytes:
        """Return what is left: a part of the credential at the very end is not the credential."""
        self._look(b"", last=True)
        return self._rest()

    def _rest(self) -> bytes:
        rest = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting, self._held = [], 0
        return rest

    def _look(self, piece: bytes, *, last: bool) -> int:
        begun = self._plain.read(piece)
        for round_ in self._rounds:
            piece, begun_here = round_.read(piece, last=last)
            begun = max(begun, begun_here)
            if not round_.differs:
                break  # what changes nothing here changes nothing in the rounds after it
        return begun


class _Round:
    """The body with one more layer of escaping undone, read only once that makes a difference."""

    def __init__(self, needles: Needles) -> None:
        self._layer = Layer()
        self._reading = _Reading(needles)
        self._recent = b""
        self.differs = False

    def read(self, piece: bytes, *, last: bool) -> tuple[bytes, int]:
        """Return the piece unescaped, and how many letters of a needle it ends with."""
        undone = self._layer.feed(piece, last=last)
        if not self.differs and self._layer.touched:
            self.differs = True
            undone = self._recent + undone  # the rounds after this one have seen none of it either
        if self.differs:
            return undone, self._reading.read(undone)
        self._recent = (self._recent + undone[-_RECENT:])[-_RECENT:]
        return undone, 0


class _Reading:
    """One form of the body, as it comes by."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._keep_verbatim = max(map(len, needles.verbatim), default=1) - 1
        self._keep = max(map(len, (*needles.exact, *needles.folded)), default=1) - 1
        self._verbatim = b""
        self._reduced = b""

    def read(self, piece: bytes) -> int:
        """Return how many letters of some needle stand at the end so far. Raises `Found`."""
        needles = self._needles
        text = self._verbatim + piece
        letters = self._reduced + reduced(piece)
        folded = letters.lower()
        if needles.in_text(text) or needles.in_letters(letters, folded):
            raise Found
        self._verbatim = _tail(text, self._keep_verbatim)
        self._reduced = _tail(letters, self._keep)
        begun = max((_begun(self._verbatim, needle) for needle in needles.verbatim), default=0)
        tail = _tail(folded, self._keep)
        return max(
            begun,
            max((_begun(self._reduced, needle) for needle in needles.exact), default=0),
            max((_begun(tail, needle) for needle in needles.folded), default=0),
        )


def _thirds(needles: Needles) -> Needles:
    """Return the first third of what is looked for among letters (the rest is short, or in it)."""
    return Needles(
        needles.verbatim, tuple(map(_third, needles.exact)), tuple(map(_third, needles.folded))
    )


def _third(needle: bytes) -> bytes:
    return needle[: max(_TELLING, -(-len(needle) // 3))]


def _tail(data: bytes, length: int) -> bytes:
    return data[-length:] if length > 0 else b""


def _begun(tail: bytes, needle: bytes) -> int:
    """Return the length of the longest end of `tail` that begins `needle`, if it is long enough."""
    start = needle[: min(_LETTERS, (len(needle) + 1) // 2)]
    place = tail.find(start, max(0, len(tail) - len(needle) + 1))
    while place >= 0:
        if needle.startswith(tail[place:]):
            # A key too short to be reduced counts by its share: half of it is telling.
            return max(len(tail) - place, _LETTERS if len(needle) >= _TELLING else _TELLING)
        place = tail.find(start, place + 1)
    return 0
