"""A write as a person can read it: what, where, what body, as whom (pure).

It is made of the request itself, never of what its author says about it. What could deceive
(controls, marks that turn the reading direction around, invisible characters) is spelled out.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import TYPE_CHECKING, Any

from ...wire.control import PreviewView
from ..egress.request import Request

if TYPE_CHECKING:
    from ..connections import Connection
    from .access import Use

LONGEST_BODY = 4_000
LONGEST_PATH = 2_000
_PARSED = 64 * 1024
"""Bytes of a body that is laid out; a larger one is shown as it is."""

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_SPACES = {"\N{NO-BREAK SPACE}", "\N{HANGUL FILLER}", "\N{BRAILLE PATTERN BLANK}"}


def preview(use: Use, connection: Connection) -> PreviewView:
    """Return what the page of an approval shows."""
    request = use.request
    body, note = _body(request)
    path, cut = _cut(spelled(request.target or "/"), LONGEST_PATH)
    if cut:
        note = "; ".join(filter(None, ["only the beginning of its address is shown", note]))
    return PreviewView(
        asker=spelled(use.asker),
        words=spelled(use.words),
        tool=spelled(use.tool),
        method=request.method,
        host=str(request.origin),
        path=path,
        account=spelled(connection.account.label),
        content_type=spelled(_media_type(request)),
        body=body,
        note=note,
    )


def spelled(text: str) -> str:
    """Return `text` with every character that hides or reorders written as its escape."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in _SPACES or unicodedata.category(character) in _HIDDEN:
        return f"\\u{{{ord(character):x}}}"
    return character


def _body(request: Request) -> tuple[str, str]:
    """Return the part of the body that is shown, and in words what is not."""
    if not request.body:
        return "", ""
    try:
        text = request.body.decode("utf-8")
    except UnicodeDecodeError:
        return "", f"{_size(request.body)} that are not text; {_name(request.body)}"
    laid_out = _laid_out(text) if len(request.body) <= _PARSED else None
    whole = "\n".join(spelled(line) for line in (laid_out or text[: LONGEST_BODY + 1]).split("\n"))
    shown, cut = _cut(whole, LONGEST_BODY)
    hidden = cut or (laid_out is None and len(text) > LONGEST_BODY)
    if not hidden:
        return shown, ""
    return shown, f"only the beginning of {_size(request.body)} is shown; {_name(request.body)}"


def _laid_out(text: str) -> str | None:
    """Return JSON on lines; None unless nothing of it gets lost by that.

    A parser keeps one of two members of one name, and other servers keep the other; so whatever
    does not come out as it went in is shown as it is.
    """
    try:
        value = json.loads(text)
        if not any(_again(value, *how) == text for how in _SPELLINGS):
            return None
        return json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return None


_SPELLINGS = [
    (ensure_ascii, separators)
    for ensure_ascii in (False, True)
    for separators in ((",", ":"), (", ", ": "))
]


def _again(value: Any, ensure_ascii: bool, separators: tuple[str, str]) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, separators=separators)


def _media_type(request: Request) -> str:
    for name, value in request.lines.items():
        if name.lower() == "content-type":
            return value.partition(";")[0].strip()[:100]
    return ""


def _cut(text: str, limit: int) -> tuple[str, bool]:
    return (text, False) if len(text) <= limit else (text[:limit], True)


def _size(body: bytes) -> str:
    return f"{len(body):,} bytes"


def _name(body: bytes) -> str:
    return f"SHA-256 {hashlib.sha256(body).hexdigest()[:16]}…"
