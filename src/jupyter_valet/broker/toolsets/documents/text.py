"""Words of a document, made fit for a model and a person: plain, short, nothing hidden."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache

_TAG = re.compile(r"</?[A-Za-z][^<>]{0,400}>|<!--.{0,4000}?-->", re.DOTALL)
_FENCE = re.compile(r"(```|~~~).{0,20000}?(?:\1|\Z)", re.DOTALL)
_LINK = re.compile(
    r"!?\[([^\[\]]{0,300})\](?:\([^()\s]{0,1000}(?:\s+\"[^\"]{0,200}\")?\)|\[[^\[\]]{0,100}\])"
)
_MARKS = re.compile(
    r"\*\*|__|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|^ {0,3}(?:#{1,6}|>+)[ \t]+"
    r"|^ {0,3}(?:[-*_=] ?){3,}$",
    re.MULTILINE,
)
_SPACE = re.compile(r"\s+")
_SUSPECT = re.compile(r"[<\[*_#>&`~\\\n\t]|[^\x20-\x7e]|  ")
# A sentence ends where the next begins; "e.g. this" and "v1.2" are no ends.
_SENTENCE = re.compile(
    r"(?<![.\s][A-Za-z])(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)[.!?](?=\s+[A-Z0-9\"'`(]|\s*$)"
)
# RFC 9110 §8.3.1, and the ranges of §12.5.1.
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+", re.ASCII)
_MARKUP = 8
"""How many times longer than what is left of it a text may be before it is read."""


@lru_cache(maxsize=4096)
def plain(text: str, limit: int) -> str:
    """Return `text` on one line without markup or invisible characters, at most `limit` long."""
    if len(text) <= limit and not _SUSPECT.search(text):
        return text.strip()
    text = _FENCE.sub(" ", text[: limit * _MARKUP])
    text = html.unescape(_TAG.sub(" ", text))
    text = _MARKS.sub("", _LINK.sub(r"\1", text))
    return shortened(_SPACE.sub(" ", _visible(text)).strip(), limit)


def words(value: object, limit: int) -> str:
    """Return the plain text of a member that should be text; empty when it is not."""
    return plain(value, limit) if isinstance(value, str) else ""


def media_type(value: object) -> str:
    """Return a media type without its parameters; empty for what is none, and so for no header."""
    if not isinstance(value, str) or len(value) > 200:
        return ""
    kind = value.partition(";")[0].strip().lower()
    return kind if _MEDIA_TYPE.fullmatch(kind) else ""


def first_sentence(text: str, limit: int) -> str:
    """Return the first sentence of plain `text`, without its full stop."""
    match = _SENTENCE.search(text)
    sentence = text[: match.start()] if match else text.rstrip(".")
    return shortened(sentence, limit)


def shortened(text: str, limit: int) -> str:
    """Return `text` cut at a word, with an ellipsis when something is missing."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut[: cut.rfind(" ")] if " " in cut[limit // 2 :] else cut).rstrip(" ,;:.") + "…"


def _visible(text: str) -> str:
    """Drop what a person would not see: controls, zero-width, direction marks, tag characters."""
    if text.isascii():
        return "".join(c if c >= " " or c in "\n\t" else " " for c in text if c != "\x7f")
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Zl", "Zp") else " "
        for c in text
        if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn")
    )
