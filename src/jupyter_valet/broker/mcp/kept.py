"""What is derived from an object that stays the same until something changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")
D = TypeVar("D")


class Kept(Generic[S, D]):
    """Remembers by the identity of its source what was made of it.

    Beyond `most`, all is forgotten and made anew as it is needed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[int, tuple[S, D]] = {}

    def of(self, source: S, make: Callable[[], D]) -> D:
        """Return what `make` made of this very `source`."""
        held = self._held.get(id(source))
        if held is None:
            if len(self._held) >= self._most:
                self._held.clear()
            # The source is kept, too: an id is good only as long as its object lives.
            held = self._held[id(source)] = (source, make())
        return held[1]
