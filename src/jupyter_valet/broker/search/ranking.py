"""Which tools answer a question best, over any number of indexes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

from .index import ACTED_ON, Index
from .meanings import READS, Action
from .question import Question, Term

_SATURATION = 1.2
_SYNONYM = 0.65
"""What a word that may stand for another counts next to it."""

_ABOUT = 0.35
"""What it counts that a tool acts on what the question is about."""

_RIGHT, _KIND, _WRONG = 1.7, 1.5, 0.65
"""The very action that is wanted; another of its kind (reading or writing); one of the other."""

_OWN, _NOT_OWN = 1.4, 0.75
_NONE: tuple[tuple[int, ...], tuple[float, ...]] = ((), ())


@dataclass(frozen=True)
class Found:
    """A tool that may answer, by its name; a higher score is a better answer."""

    name: str
    score: float


def search(indexes: Sequence[Index], text: str, limit: int) -> list[Found]:
    """Return at most `limit` tools, the best first; equal ones in the order of their names."""
    question = Question.of(text)
    named = text.strip().lower()
    found = [Found(named, math.inf) for index in indexes if named in index.names]
    for index, scores in zip(indexes, _scores(indexes, question), strict=True):
        for number, score in scores.items():
            if index.names[number] == named:
                continue
            factor = _factor(index.actions[number], index.own[number], question)
            found.append(Found(index.names[number], round(score * factor, 6)))
    return nsmallest(limit, found, key=lambda one: (-one.score, len(one.name), one.name))


def _scores(indexes: Sequence[Index], question: Question) -> list[dict[int, float]]:
    scores: list[dict[int, float]] = [{} for _ in indexes]
    for term in question.terms:
        alike = _Alike(indexes, term)
        for held, index in zip(scores, indexes, strict=True):
            for number, score in alike.of(index).items():
                held[number] = held.get(number, 0.0) + score
    return scores


class _Alike:
    """A term and those that may stand for it: what counts in a tool is the best of them."""

    def __init__(self, indexes: Sequence[Index], term: Term) -> None:
        total = sum(len(index.names) for index in indexes)

        def worth(text: str) -> float:
            among = sum(len(index.postings[text][0]) for index in indexes if text in index.postings)
            return math.log(1 + (total - among + 0.5) / (among + 0.5)) if among else 0.0

        own = worth(term.text)
        most = own or math.inf
        self._texts = [(term.text, own * term.weight)]
        self._texts += [(o, min(worth(o), most) * term.weight * _SYNONYM) for o in term.others]
        if term.about:
            self._texts += [(ACTED_ON + text, w * _ABOUT) for text, w in list(self._texts)]

    def of(self, index: Index) -> dict[int, float]:
        best: dict[int, float] = {}
        for text, worth in self._texts:
            for number, count in zip(*index.postings.get(text, _NONE), strict=True):
                score = worth * count / (count + _SATURATION)
                if text[0] == ACTED_ON:
                    score += best.get(number, 0.0)
                if score > best.get(number, 0.0):
                    best[number] = score
        return best


def _factor(action: Action, own: bool, question: Question) -> float:
    factor = 1.0
    if question.action == action != "write":
        factor *= _RIGHT
    elif question.reads is not None:
        factor *= _KIND if question.reads == (action in READS) else _WRONG
    if question.own:
        return factor * (_OWN if own else 1.0)
    return factor * (_NOT_OWN if own else 1.0)
