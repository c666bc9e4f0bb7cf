"""What a question asks for: weighted terms, and which kind of operation would answer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from .meanings import (
    ABBREVIATIONS,
    DETERMINERS,
    MINE,
    PREPOSITIONS,
    QUESTIONS,
    STOP,
    SYNONYMS,
    VERBS,
    Action,
)
from .words import spoken, stem

MOST_WORDS = 40
"""Words of a question that are read."""


@dataclass(frozen=True)
class Term:
    """A term, others that may stand for it, what it counts, and whether the question is about it.

    "Labels of an issue" is about labels.
    """

    text: str
    others: tuple[str, ...]
    weight: float
    about: bool


@dataclass(frozen=True)
class Question:
    """The terms, the `action` that is wanted if it says, whether it `reads`, and whose thing."""

    terms: tuple[Term, ...]
    action: Action | None
    reads: bool | None
    own: bool

    @classmethod
    def of(cls, text: str) -> Question:
        """Read a question, a request, a few words, or a name."""
        words = spoken(text)[:MOST_WORDS]
        action, reads = _wanted(words)
        skipped = 1 if action is not None or reads else 0
        return cls(_asked(words, skipped), action, reads, not MINE.isdisjoint(words))


def _wanted(words: list[str]) -> tuple[Action | None, bool | None]:
    if not words:
        return None, None
    first, rest = words[0], words[1:]
    if first in QUESTIONS:
        return ("get" if first == "how" else None), True
    if first in VERBS:
        action = VERBS[first]
        return action, action in ("list", "get")
    if rest and rest[0] in DETERMINERS:
        return "write", False
    return None, True if _plural(words) else None


def _plural(words: list[str]) -> bool:
    return any(word.endswith("s") and not word.endswith("ss") for word in words[:3])


def _asked(words: list[str], skipped: int) -> tuple[Term, ...]:
    """Return the terms of the question, each once."""
    asked: dict[str, Term] = {}
    about = True
    for position, word in enumerate(words):
        about = about and (word not in PREPOSITIONS or position == 0)
        whole = ABBREVIATIONS.get(word, (word,))
        for one in whole:
            if one not in STOP and stem(one) not in asked:
                asked[stem(one)] = Term(
                    stem(one),
                    tuple(stem(other) for other in _others(one)),
                    1.0 / len(whole) ** 0.5,
                    about and position >= skipped,
                )
    return tuple(asked.values())


def _others(word: str) -> tuple[str, ...]:
    return _synonyms().get(word) or _synonyms_by_stem().get(stem(word), ())


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for group in SYNONYMS:
        for word in group:
            found[word] |= dict.fromkeys(other for other in group if other != word)
    return {word: tuple(others) for word, others in found.items()}


@lru_cache(maxsize=1)
def _synonyms_by_stem() -> dict[str, tuple[str, ...]]:
    return {stem(word): others for word, others in _synonyms().items()}
