"""From text to terms: what a name, a path or a question is made of, in one form each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]

from .meanings import ABBREVIATIONS, STOP

_IDENTIFIER = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_PROSE = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_JOINED = re.compile(r"\b([a-z])-(?=[a-z]{3})")
"""`e-mail` and `email` are one word, and so are `x-ray` and `xray`."""

_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=32_768)
def stem(word: str) -> str:
    """Return the stem of a lower-case word (Snowball's English stemmer)."""
    stemmed: str = _stemmer.stemWord(word)
    return stemmed


def spoken(text: str) -> list[str]:
    """Return the words of a sentence, in lower case and in their order."""
    return [word.partition("'")[0] for word in _PROSE.findall(_JOINED.sub(r"\1", text.lower()))]


def terms(text: str) -> Iterator[str]:
    """Yield the terms of a sentence, without words that say nothing."""
    return _terms(spoken(text))


def name_terms(name: str) -> Iterator[str]:
    """Yield the terms of an identifier or a path, also of one in `camelCase`."""
    return _terms([part.lower() for part in _IDENTIFIER.findall(name)])


def _terms(words: list[str]) -> Iterator[str]:
    for word in words:
        for whole in ABBREVIATIONS.get(word, (word,)):
            if whole not in STOP:
                yield stem(whole)
