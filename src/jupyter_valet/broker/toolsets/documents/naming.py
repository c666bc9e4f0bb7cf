"""Names of tools and arguments: the same for the same document, in whatever order it is written."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

LONGEST = 64
"""Characters of a tool's whole name, which all models' APIs take."""

_WORD = re.compile(r"[^A-Za-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_NAME = re.compile(r"[^A-Za-z0-9_]+", re.ASCII)
_TAIL = 6
_LONGEST = 48
"""Characters of an argument's name, without what tells it from others."""


def snake(text: str) -> str:
    """Return `text` as lower-case words joined by underscores: `issues/listEvents`."""
    words = _WORD.sub(" ", _CAMEL.sub(" ", text)).split()
    return "_".join(words).lower()


def basis(method: str, path: str, operation_id: object) -> str:
    """Return the name an operation would have if there were no other: its id's, or its path's."""
    name = snake(operation_id) if isinstance(operation_id, str) else ""
    name = name or f"{method.lower()}_{snake(path.replace('{', ' by ')) or 'root'}"
    return name if name[0].isalpha() else f"op_{name}"


def operations(bases: Sequence[str], keys: Sequence[str], toolset: str) -> list[str]:
    """Return one name for each: unique, and short enough with the toolset's in front.

    A name that two would have, or that is too long, ends in a digest of the operation's `key` (its
    method and path), so no other operation's coming or going, and no order, gives it to another.
    """
    room = LONGEST - len(toolset) - 1
    crowded = Counter(bases)
    names = []
    for base, key in zip(bases, keys, strict=True):
        if crowded[base] == 1 and len(base) <= room:
            names.append(base)
        else:
            names.append(f"{base[: room - _TAIL - 1].rstrip('_')}_{_digest(key)}")
    return names


def arguments(wanted: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each (place, name in the request), unique among them.

    Of two places that use a name neither gets it alone: `id_in_path`, `id_in_body`. So a name that
    exists never comes to mean something else when a document gains a parameter.
    """
    plain = [_identifier(name) for _, name in wanted]
    if len(set(plain)) == len(plain):
        return plain
    crowded = Counter(plain)
    names = [
        name if crowded[name] == 1 else f"{name}_in_{place}"
        for name, (place, _) in zip(plain, wanted, strict=True)
    ]
    crowded = Counter(names)
    return [
        name if crowded[name] == 1 else f"{name}_{_digest('/'.join((*whole, str(order))))}"
        for order, (name, whole) in enumerate(zip(names, wanted, strict=True))
    ]


def _identifier(text: str) -> str:
    if (
        len(text) <= _LONGEST
        and not text.startswith("_")
        and text.isascii()
        and text.isidentifier()
    ):
        return text
    name = _NOT_NAME.sub("_", text).strip("_")[:_LONGEST] or "value"
    return name if not name[0].isdigit() else f"n{name}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_TAIL]
