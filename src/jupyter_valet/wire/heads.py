"""The head of an HTTP/1.1 request, as every part of ours writes it."""

from __future__ import annotations

from collections.abc import Sequence


def joined(lines: Sequence[str]) -> str:
    """Return the lines of a head as one text, without its last line end.

    Raises `ValueError` for a line that holds the end of one, or NUL (RFC 9110 §5.5): whoever wrote
    it would write headers, or requests, that are not theirs.
    """
    head = "\r\n".join(lines)
    ends = len(lines) - 1
    if head.count("\r") != ends or head.count("\n") != ends or "\0" in head:
        raise ValueError("a line of a request holds what it must not")
    return head
