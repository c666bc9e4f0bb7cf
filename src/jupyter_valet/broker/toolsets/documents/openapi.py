"""OpenAPI 3.0, 3.1 and 3.2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from .shapes import Described, Found, Meta, Skipped
from .text import words
from .tree import Document, members
from .unusable import Unusable

_VERSION = re.compile(r"3\.[0-2](?:\.[0-9]+)?")
# §4.8.9; `query` and `additionalOperations` are 3.2's.
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_RFC6570_LABELS = re.compile(r"3\.0\.(?:[4-9]|\d\d+)|3\.1\.(?:[1-9]|\d\d+)|3\.2(?:\..*)?")
"""Versions whose tables agree with the RFC they refer to (3.0.4 and 3.1.1 corrected them)."""


class _Item(msgspec.Struct):
    """A Path Item Object (§4.8.9) all of whose operations are well-formed."""

    ref: Any = msgspec.field(name="$ref", default=None)
    parameters: Any = None
    servers: Any = None
    get: Described | None = None
    put: Described | None = None
    post: Described | None = None
    delete: Described | None = None
    options: Described | None = None
    head: Described | None = None
    patch: Described | None = None
    trace: Described | None = None
    query: Described | None = None
    additionalOperations: dict[str, Described] = {}

    def operations(self) -> Iterable[tuple[str, Described]]:
        """Return methods and operations."""
        for method in _METHODS:
            described = getattr(self, method)
            if described is not None:
                yield method.upper(), described
        yield from self.additionalOperations.items()


_BROKEN = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_item = msgspec.json.Decoder(_Item)
_described = msgspec.json.Decoder(Described)


class OpenApi:
    """A document of version 3."""

    any_scope = False

    def __init__(self, document: Document, url: str) -> None:
        self.document = document
        version = str(document.get("openapi", ""))
        self.meta = meta(document, f"OpenAPI {version}")
        self.servers = document.get("servers")
        self.security = document.get("security")
        self.dotted_labels = not _RFC6570_LABELS.fullmatch(version)

    @staticmethod
    def recognises(document: Document) -> bool:
        """Tell whether a document says that it is one."""
        return bool(_VERSION.fullmatch(str(document.get("openapi", ""))))

    def operations(self, skipped: list[Skipped]) -> Iterable[Found]:
        """Find the operations of all paths; webhooks and callbacks are for the other direction."""
        for path, item in self.document.container("paths").items():
            if path.startswith("/"):
                yield from self._of_path(path, item, skipped)

    def schemes(self) -> Mapping[str, Any]:
        """Return the security schemes, followed."""
        return followed(self.document, self.document.container("components", "securitySchemes"))

    def _of_path(self, path: str, raw: msgspec.Raw, skipped: list[Skipped]) -> Iterable[Found]:
        try:
            item = _item.decode(raw)
        except _BROKEN:
            item = None
        if item is None or item.ref is not None:
            yield from self._one_by_one(path, members(raw), skipped)
            return
        for method, operation in item.operations():
            yield Found(f"{method} {path}", method, path, operation, item.parameters, item.servers)

    def _one_by_one(
        self, path: str, item: Mapping[str, msgspec.Raw], skipped: list[Skipped]
    ) -> Iterable[Found]:
        """Find the operations of an item that is elsewhere, or of which some are broken."""
        try:
            if "$ref" in item:
                item = {**self._referred(item["$ref"]), **item}
            shared, servers = _decoded(item, "parameters"), _decoded(item, "servers")
        except Unusable as reason:
            skipped.append(Skipped(path, str(reason)))
            return
        extra = members(item["additionalOperations"]) if "additionalOperations" in item else {}
        named = [(method, item[method]) for method in _METHODS if method in item]
        for method, operation in [*named, *extra.items()]:
            key = f"{method.upper()} {path}"
            try:
                described = _described.decode(operation)
                yield Found(key, method.upper(), path, described, shared, servers)
            except _BROKEN:
                skipped.append(Skipped(key, "it is no operation object"))

    def _referred(self, raw: msgspec.Raw) -> Mapping[str, msgspec.Raw]:
        """Return a path item that is somewhere else in the document (§4.8.9)."""
        pointer = self.document.pointer(msgspec.json.decode(raw))
        path = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        return self.document.container(*path)


def _decoded(item: Mapping[str, msgspec.Raw], name: str) -> Any:
    return msgspec.json.decode(item[name]) if name in item else None


def meta(document: Document, kind: str) -> Meta:
    """Return what the Info Object says (§4.8.2)."""
    info = document.mapping("info")
    title, about = words(info.get("title"), 100), words(info.get("description"), 600)
    return Meta(kind, title, about, words(info.get("version"), 40))


def followed(document: Document, found: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """Decode each of `found`, and follow those that are references; leave out what is broken."""
    made = {}
    for name, raw in found.items():
        try:
            made[name] = document.followed(msgspec.json.decode(raw))
        except (Unusable, msgspec.MsgspecError, RecursionError):
            continue
    return made
