"""What an operation answers with, and how there is more: hints, never promises.

Only the first successful answer is looked at, and of its schema only the outermost members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec

from ..model import Paging, Parameter, Returns
from .text import media_type
from .tree import Document, decoded, members
from .unusable import Unusable

_SUCCESS = ("200", "201", "202", "203", "206", "2XX", "2xx", "default")
_MOST_FIELDS = 40
_DEPTH = 4
_USUAL_LISTS = ("items", "data", "results", "entries", "values", "records", "files", "elements")
_NESTING = ("response_metadata", "paging", "pagination", "meta", "page_info")
_TOKENS = (
    ("pageToken", "nextPageToken"), ("page_token", "next_page_token"), ("cursor", "next_cursor"),
    ("cursor", "nextCursor"), ("marker", "next_marker"), ("starting_after", ""),
    ("cursor", "response_metadata.next_cursor"), ("after", "after"), ("nextToken", "nextToken"),
)  # fmt: skip
_COUNTED: tuple[tuple[str, Literal["page", "offset"]], ...] = (
    ("page", "page"), ("pageNumber", "page"), ("page_number", "page"), ("offset", "offset"),
    ("startAt", "offset"), ("skip", "offset"), ("startIndex", "offset"),
)  # fmt: skip


_NULL = msgspec.Raw(b"null")
_BROKEN = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


class _Media(msgspec.Struct):
    """A Media Type Object (§4.8.14)."""

    schema: msgspec.Raw = _NULL


class _Answer(msgspec.Struct):
    """A Response Object (§4.8.17)."""

    content: dict[str, _Media] = {}
    headers: dict[str, msgspec.Raw] = {}
    ref: Any = msgspec.field(name="$ref", default=None)


class _Outside(msgspec.Struct):
    """The outside of a schema: its members' names, and nothing within them."""

    type: Any = None
    properties: dict[str, msgspec.Raw] = {}
    items: msgspec.Raw = _NULL
    allOf: list[msgspec.Raw] = []
    ref: Any = msgspec.field(name="$ref", default=None)


_answers = msgspec.json.Decoder(dict[str, _Answer])
_answer = msgspec.json.Decoder(_Answer)
_outside = msgspec.json.Decoder(_Outside)
_NOTHING = Returns("nothing")
_UNKNOWN = Returns()


class Responses:
    """Reads the answers of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known: dict[str, Returns] = {}

    def read(self, raw: msgspec.Raw) -> tuple[Returns, bool, str]:
        """Return the hint, whether a `Link` header comes along, and the media type to accept."""
        try:
            answers = _answers.decode(raw)
            code = next((code for code in _SUCCESS if code in answers), None)
            if "204" in answers and code in (None, "default"):
                return _NOTHING, False, ""
            return self._read(self._resolved(answers[code])) if code else (_UNKNOWN, False, "")
        except (Unusable, *_BROKEN):
            return _UNKNOWN, False, ""

    def _resolved(self, answer: _Answer) -> _Answer:
        for _ in range(_DEPTH):
            if answer.ref is None:
                break
            answer = _answer.decode(self._raw(answer.ref))
        return answer

    def _read(self, answer: _Answer) -> tuple[Returns, bool, str]:
        linked = any(name.lower() == "link" for name in answer.headers)
        if not answer.content:
            return _UNKNOWN, linked, ""
        content = answer.content
        name = next((kind for kind in content if "json" in kind), next(iter(content)))
        accept = media_type(name)
        if "json" in accept:
            return self._shape(content[name].schema, 0), linked, accept
        textual = accept.startswith("text/") or "xml" in accept
        return Returns("text" if textual else "binary"), linked, accept

    def _raw(self, reference: object) -> msgspec.Raw:
        path = self._document.pointer(reference).split("/")[1:]
        parts = [part.replace("~1", "/").replace("~0", "~") for part in path]
        found = self._document.container(*parts[:-1]).get(parts[-1]) if parts else None
        if found is None:
            raise Unusable("a reference in it points nowhere")
        return found

    def _shape(self, raw: msgspec.Raw, depth: int) -> Returns:
        """Return the outside of a schema; named ones are read once."""
        try:
            outside = _outside.decode(raw)
        except _BROKEN:
            return _UNKNOWN
        if outside.ref is not None:
            return self._named(outside.ref, depth)
        if outside.type == "array":
            return Returns("array", fields=self._fields(outside.items, depth))
        properties = outside.properties
        fields = tuple(properties)
        for part in outside.allOf if depth < _DEPTH else ():
            fields += self._shape(part, depth + 1).fields
        if not fields:
            return Returns("object") if outside.type == "object" else _UNKNOWN
        records, inner = self._records(properties, depth)
        return Returns("object", records, inner or fields[:_MOST_FIELDS])

    def _named(self, reference: object, depth: int) -> Returns:
        if depth > _DEPTH:
            return _UNKNOWN
        pointer = self._document.pointer(reference)
        if pointer not in self._known:
            self._known[pointer] = _UNKNOWN
            self._known[pointer] = self._shape(self._raw(reference), depth + 1)
        return self._known[pointer]

    def _fields(self, items: msgspec.Raw, depth: int) -> tuple[str, ...]:
        return self._shape(items, depth + 1).fields if depth < _DEPTH else ()

    def _records(
        self, properties: Mapping[str, msgspec.Raw], depth: int
    ) -> tuple[str, tuple[str, ...]]:
        """Return the member that is the list the object is about, when it is clear which."""
        lists = {name: items for name, raw in properties.items() if (items := _items(raw))}
        usual = [name for name in _USUAL_LISTS if name in lists]
        chosen = usual[0] if usual else next(iter(lists)) if len(lists) == 1 else ""
        if not chosen or (not usual and len(properties) > 8):
            return "", ()
        return chosen, self._fields(lists[chosen], depth)

    def names(self, raw: msgspec.Raw) -> frozenset[str]:
        """Return the members of the successful answer, those of nested objects dotted."""
        try:
            answers = _answers.decode(raw)
            code = next((code for code in _SUCCESS if code in answers), None)
            content = self._resolved(answers[code]).content if code else {}
            schema = next(
                (media.schema for kind, media in content.items() if "json" in kind), _NULL
            )
            return frozenset(self._dotted(schema))
        except (Unusable, *_BROKEN):
            return frozenset()

    def _dotted(self, raw: msgspec.Raw) -> Iterable[str]:
        for name, member in self._properties(raw).items():
            yield name
            for inner in self._properties(member) if name in _NESTING else ():
                yield f"{name}.{inner}"

    def _properties(self, raw: msgspec.Raw) -> Mapping[str, msgspec.Raw]:
        for _ in range(_DEPTH):
            found = members(raw)
            if "$ref" not in found:
                return members(found["properties"]) if "properties" in found else {}
            raw = self._raw(decoded(found["$ref"]))
        return {}


def _items(raw: msgspec.Raw) -> msgspec.Raw | None:
    """Return the schema of a list's items; None when it is no list."""
    try:
        outside = _outside.decode(raw)
    except _BROKEN:
        return None
    return outside.items if outside.type == "array" else None


def paging(
    parameters: Iterable[Parameter], linked: bool, answered: Callable[[], frozenset[str]]
) -> Paging | None:
    """Tell how to get the next page, from the names of arguments and of the answer's members."""
    taken = {p.sent_as: p.name for p in parameters if p.where in ("query", "body")}
    for argument, member in _TOKENS:
        if argument in taken and (not member or member in answered()):
            return Paging("token", taken[argument], member)
    counted = next(((taken[name], kind) for name, kind in _COUNTED if name in taken), None)
    if linked:
        return Paging("link", counted[0] if counted else "")
    return Paging(counted[1], counted[0]) if counted else None
