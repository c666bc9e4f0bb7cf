"""From what was given (bytes, or a mapping) to JSON bytes of a bounded size."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

import msgspec

from ....wire.errors import ValetError
from .yaml import NotYaml, parse

LIMIT = 64 * 1024 * 1024
"""Largest document, in bytes. The largest public ones have some 35 MB."""

YAML_LIMIT = 16 * 1024 * 1024
"""Largest document in YAML, in bytes: reading it costs fifty times what JSON does."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read(source: bytes | Mapping[str, Any]) -> dict[str, msgspec.Raw]:
    """Return the members of the document's top level, undecoded.

    Raises `ValetError("bad_document")`.
    """
    found = _from_bytes(source) if isinstance(source, bytes) else _members(_encoded(source))
    if found is None:
        raise ValetError("bad_document", what="it is neither a JSON nor a YAML object")
    return found


def _from_bytes(source: bytes) -> dict[str, msgspec.Raw] | None:
    if len(source) > LIMIT:
        raise ValetError("bad_document", what=f"it is larger than {LIMIT // 1024**2} MB")
    text = _utf8(source)
    start = text[:64].lstrip()[:1]
    if start == b"<":
        raise ValetError("bad_document", what="it is a web page or XML")
    found = _members(text) if start == b"{" else None
    return found if found is not None else _members(_from_yaml(text))


def _members(text: bytes) -> dict[str, msgspec.Raw] | None:
    """Scan `text`; None when it is no JSON object."""
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _utf8(source: bytes) -> bytes:
    for mark, encoding in _BOMS:
        if source.startswith(mark):
            body = source[len(mark) :]
            return body if encoding == "utf-8" else body.decode(encoding, "replace").encode()
    return source


def _from_yaml(text: bytes) -> bytes:
    if len(text) > YAML_LIMIT:
        what = f"it is not JSON, and larger than {YAML_LIMIT // 1024**2} MB, the most for YAML"
        raise ValetError("bad_document", what=what)
    try:
        return _encoded(parse(text, limit=LIMIT))
    except NotYaml as error:
        raise ValetError("bad_document", what=str(error)) from None


def _encoded(tree: object) -> bytes:
    try:
        encoded = msgspec.json.encode(tree)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        raise ValetError("bad_document", what="it holds what JSON cannot") from None
    if len(encoded) > LIMIT:
        raise ValetError("bad_document", what=f"it is larger than {LIMIT // 1024**2} MB")
    return encoded
