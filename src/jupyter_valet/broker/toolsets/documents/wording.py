"""What a document says about an operation, in the words that a model chooses by."""

from __future__ import annotations

from .text import first_sentence, words

SUMMARY, DESCRIPTION = 200, 600
"""Characters of a tool's first sentence, and of all that is said about it."""

_FEW_WORDS = 3


def said(summary: object, description: object, name: str) -> tuple[str, str]:
    """Return the sentence by which a model chooses, and all that is said.

    A summary of a word or two says less than the first sentence of the description.
    """
    short, long = words(summary, SUMMARY), words(description, DESCRIPTION)
    if short.count(" ") + 1 >= _FEW_WORDS:
        return short.rstrip("."), long
    first = first_sentence(long, SUMMARY)
    if not short or not first:
        return short.rstrip(".") or first or name.replace("_", " ").capitalize(), long
    known = short.lower() in first.lower()
    return first if known else first_sentence(f"{short}: {first}", SUMMARY), long


def tags(listed: object) -> tuple[str, ...]:
    """Return the first few of an operation's tags."""
    if not isinstance(listed, list):
        return ()
    return tuple(words(tag, 60) for tag in listed[:8] if isinstance(tag, str))
