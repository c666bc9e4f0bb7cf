"""What a docstring says of a function and its parameters, in the three usual styles.

Google (`Args:`), NumPy (`Parameters` underlined) and Sphinx (`:param name:`).
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_GOOGLE = re.compile(r"(Args|Arguments|Parameters):\s*")
_SECTION = re.compile(r"[A-Z][A-Za-z ]{2,30}:\s*")
_GOOGLE_ITEM = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")
_NUMPY_ITEM = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?")
_SPHINX = re.compile(r":(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+):\s*(.*)")


@dataclass(frozen=True)
class Docstring:
    """The description without its sections, and the words for each parameter."""

    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line, without its full stop."""
        return self.description.partition("\n")[0].strip().rstrip(".")


def parse(text: str | None) -> Docstring:
    """Return what `text` says; whatever is not understood stays in the description."""
    lines = inspect.cleandoc(text or "").splitlines()
    words: list[str] = []
    found: dict[str, list[str]] = {}
    position = 0
    while position < len(lines):
        line = lines[position]
        if _GOOGLE.fullmatch(line):
            position = _items(lines, position + 1, found, _google_item)
        elif _underlined(lines, position):
            known = line.strip() in ("Parameters", "Other Parameters")
            position = _items(lines, position + 2, found if known else {}, _numpy_item)
        elif sphinx := _SPHINX.fullmatch(line.strip()):
            position = _rest(lines, position + 1, found.setdefault(sphinx[1], [sphinx[2]]))
        elif line.startswith(":"):
            position = _rest(lines, position + 1, [])
        elif _SECTION.fullmatch(line) and line.strip().rstrip(":") in _OTHERS:
            position = _skip_indented(lines, position + 1)
        else:
            words.append(line)
            position += 1
    parameters = {name: " ".join(" ".join(part).split()) for name, part in found.items()}
    return Docstring("\n".join(words).strip(), parameters)


_OTHERS = {"Returns", "Return", "Yields", "Raises", "Example", "Examples", "Note", "Notes"}


def _underlined(lines: list[str], position: int) -> bool:
    if position + 1 >= len(lines) or not lines[position].strip():
        return False
    rule = lines[position + 1].strip()
    return len(rule) >= 3 and set(rule) == {"-"}


def _google_item(line: str, indent: int) -> tuple[list[str], str] | None:
    item = _GOOGLE_ITEM.fullmatch(line.strip())
    return ([item[1]], item[2]) if item and 0 < indent <= 8 else None


def _numpy_item(line: str, indent: int) -> tuple[list[str], str] | None:
    item = _NUMPY_ITEM.fullmatch(line.strip())
    return (re.split(r"\s*,\s*", item[1]), "") if item and indent == 0 else None


def _items(lines: list[str], position: int, found: dict[str, list[str]], item: object) -> int:
    """Read the items of one section; return where it ends."""
    read = _google_item if item is _google_item else _numpy_item
    current: list[list[str]] = []
    first: int | None = None
    while position < len(lines):
        line = lines[position]
        indent = len(line) - len(line.lstrip())
        if line.strip():
            if read is _numpy_item and _underlined(lines, position):
                return position
            if read is _google_item and indent == 0:
                return position
            first = indent if first is None else first
            begun = read(line, indent) if indent <= first else None
            if begun is not None:
                current = [found.setdefault(name, []) for name in begun[0]]
                line = begun[1]
            for words in current:
                words.append(line.strip())
        position += 1
    return position


def _rest(lines: list[str], position: int, words: list[str]) -> int:
    """Read the indented lines that go on with an item."""
    while position < len(lines) and lines[position].startswith((" ", "\t")):
        words.append(lines[position].strip())
        position += 1
    return position


def _skip_indented(lines: list[str], position: int) -> int:
    while position < len(lines) and (not lines[position].strip() or lines[position][:1].isspace()):
        position += 1
    return position
