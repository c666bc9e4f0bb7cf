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
    READS,
    STOP,
    SYNONYMS,
    VERBS,
    Action,
)
from .words import spoken, stem

_STATE = 0.5

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
        own = not MINE.isdisjoint(words)
        asked = _asked(words, skipped, reading=bool(reads))
        if own and not asked:  # "Who am I?"
            asked = _asked(["user", "authenticated"], 0, reading=True)
        return cls(asked, action, reads, own)


def _wanted(words: list[str]) -> tuple[Action | None, bool | None]:
    if not words:
        return None, None
    first, rest = words[0], words[1:]
    if first in QUESTIONS:
        return ("list" if _plural(rest) else None), True
    if first in VERBS:
        action = VERBS[first]
        return action, action in ("list", "get")
    if rest and rest[0] in DETERMINERS:
        return "write", False
    return ("list", True) if _plural(words) else (None, None)


def _plural(words: list[str]) -> bool:
    said = [word for word in words if word not in STOP][:3]
    return any(word.endswith("s") and not word.endswith("ss") for word in said)


def _asked(words: list[str], skipped: int, *, reading: bool) -> tuple[Term, ...]:
    """Return the terms of the question, each once.

    A verb in a question that only wants to know something is a state: "Which ones are open?"
    """
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
                    _weight(one, reading=reading) / len(whole) ** 0.5,
                    about and position >= skipped,
                )
    return tuple(asked.values())


def _weight(word: str, *, reading: bool) -> float:
    return _STATE if reading and VERBS.get(word, "get") not in READS else 1.0


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
