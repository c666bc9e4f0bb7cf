"""One document, of which only what is asked for becomes objects.

The whole stays JSON bytes; a member is found by scanning and decoded by itself. For a document of
many megabytes that is several times quicker than reading all of it, and takes hardly any memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from .unusable import Unusable

Raw = msgspec.Raw

_HOPS = 32
"""How many references may follow each other, and how long each may be."""

_BROKEN = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_anything = msgspec.json.Decoder()


def decoded(raw: Raw) -> Any:
    """Return the value of a part; raises `Unusable` for one that is broken."""
    try:
        return _anything.decode(raw)
    except _BROKEN:
        raise Unusable("it is not valid JSON") from None


def members(raw: Raw) -> dict[str, Raw]:
    """Return the members of an object, undecoded; none when it is no object."""
    try:
        return _members.decode(raw)
    except _BROKEN:
        return {}


class Document:
    """Finds parts of a document by JSON pointer (RFC 6901), and follows references within it.

    `base` is the document's own URL, which references may begin with. `bare` is where a reference
    without a `#` points, if anywhere: Discovery documents name schemas so.
    """

    def __init__(self, top: Mapping[str, Raw], *, base: str = "") -> None:
        self.top = top
        self.bare = ""
        self._bases = {base} - {""}
        own = self.get("$self")
        if isinstance(own, str):
            self._bases.add(own)
        self._containers: dict[tuple[str, ...], Mapping[str, Raw]] = {}
        self._values: dict[str, Any] = {}
        self._ends: dict[str, Any] = {}

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member of the top level."""
        raw = self.top.get(name)
        if raw is None:
            return default
        try:
            return decoded(raw)
        except Unusable:
            return default

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a member of the top level that is an object; empty otherwise."""
        value = self.get(name)
        return value if isinstance(value, dict) else {}

    def container(self, *path: str) -> Mapping[str, Raw]:
        """Return the members at `path`, undecoded; a list's by their index."""
        if not path:
            return self.top
        held = self._containers.get(path)
        if held is None:
            raw = self.container(*path[:-1]).get(path[-1])
            held = self._containers[path] = {} if raw is None else _children(raw)
        return held

    def pointer(self, reference: object) -> str:
        """Return the pointer that `reference` is, without its `#`.

        Raises `Unusable` for a reference to another document: nothing is fetched that a document
        names.
        """
        if not isinstance(reference, str):
            raise Unusable("a reference in it is not text")
        base, mark, pointer = reference.partition("#")
        if not mark and self.bare and "/" not in base:
            return f"{self.bare}/{base}"
        if base and base not in self._bases:
            raise Unusable("it refers to another document")
        if pointer and not pointer.startswith("/"):
            raise Unusable("it refers to an anchor")
        if pointer.count("/") > _HOPS:
            raise Unusable("a reference in it points nowhere")
        return pointer

    def at(self, pointer: str) -> Any:
        """Return the value at `pointer`; the same object each time. Raises `Unusable`."""
        if pointer in self._values:
            return self._values[pointer]
        path = [_token(part) for part in pointer.split("/")[1:]]
        if not path:
            raise Unusable("a reference in it points nowhere")
        raw = self.container(*path[:-1]).get(path[-1])
        if raw is None:
            raise Unusable("a reference in it points nowhere")
        value = self._values[pointer] = decoded(raw)
        return value

    def followed(self, node: Any) -> Any:
        """Return `node`, or what it refers to in the end. Raises `Unusable`."""
        if not isinstance(node, dict) or "$ref" not in node:
            return node
        first = node["$ref"]
        if isinstance(first, str) and first in self._ends:
            return self._ends[first]
        for _ in range(_HOPS):
            node = self.at(self.pointer(node["$ref"]))
            if not isinstance(node, dict) or "$ref" not in node:
                self._ends[first] = node
                return node
        raise Unusable("a reference in it leads nowhere")


def _children(raw: Raw) -> Mapping[str, Raw]:
    found = members(raw)
    if found:
        return found
    try:
        return {str(index): item for index, item in enumerate(_items.decode(raw))}
    except _BROKEN:
        return {}


def _token(part: str) -> str:
    return unquote(part).replace("~1", "/").replace("~0", "~")
