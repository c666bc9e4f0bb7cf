"""An index over the words of tools: BM25F, its weights computed when it is made.

S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), §3.6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from .entry import Entry
from .meanings import Action
from .words import name_terms, terms

ACTED_ON = "="
"""Before a term that names what an operation acts on."""

FORMAT = 1
"""Goes up whenever terms or weights change, so that no old index is read as a new one."""


def acted_on(name: str) -> Iterable[str]:
    """Yield the terms of what an operation acts on, marked as that."""
    return (f"{ACTED_ON}{term}" for term in name_terms(name))


FIELDS: Mapping[str, tuple[float, float, Callable[[str], Iterable[str]]]] = {
    "name": (3.0, 0.6, name_terms),
    "resource": (0.7, 0.0, acted_on),
    "path": (1.0, 0.6, name_terms),
    "summary": (2.0, 0.7, terms),
    "tags": (2.0, 0.0, terms),
    "description": (0.6, 0.7, terms),
    "arguments": (0.6, 0.7, name_terms),
}
"""By field: what a word in it counts, how much a long one is discounted (b), how it is read."""


class Index(msgspec.Struct, frozen=True, array_like=True):
    """What is looked at when a question comes.

    `postings` has, for each term, the tools by their number and what the term counts in each.
    """

    format: int
    names: tuple[str, ...]
    actions: tuple[Action, ...]
    own: tuple[bool, ...]
    postings: dict[str, tuple[tuple[int, ...], tuple[float, ...]]]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Index:
        """Make the index of `entries`."""
        counted: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for field, (weight, discount, read) in FIELDS.items():
            found = [Counter(read(getattr(entry, field))) for entry in entries]
            average = sum(map(Counter.total, found)) / len(found) if found else 0.0
            for number, counts in enumerate(found):
                length = counts.total() / average if average else 1.0
                share = weight / (1 - discount + discount * length)
                for term, count in counts.items():
                    counted[number][term] += share * count
        return cls(
            FORMAT,
            tuple(entry.tool for entry in entries),
            tuple(entry.action for entry in entries),
            tuple(entry.own for entry in entries),
            _turned(counted),
        )

    def packed(self) -> bytes:
        """Return the index as bytes, to be kept."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def unpacked(cls, packed: bytes) -> Index:
        """Return what was packed. Raises `ValueError` for what is not of this version."""
        index = _decoder.decode(packed)
        if index.format != FORMAT or not len(index.names) == len(index.actions) == len(index.own):
            raise ValueError("not of this version")
        return index


_decoder = msgspec.msgpack.Decoder(Index)


def _turned(
    counted: Mapping[int, Mapping[str, float]],
) -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
    turned: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number in sorted(counted):
        for term, count in counted[number].items():
            turned[term].append((number, round(count, 4)))
    return {
        term: (tuple(n for n, _ in found), tuple(count for _, count in found))
        for term, found in sorted(turned.items())
    }
