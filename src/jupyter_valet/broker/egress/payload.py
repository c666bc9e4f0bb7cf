"""The body of a request, from the arguments that are for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from ...wire.errors import ValetError
from .styles import contents, dumps, in_form, pairs, scalar

if TYPE_CHECKING:
    from ..toolsets.model import Body, Parameter

Given = Sequence[tuple["Parameter", object]]
"""Parameters with their arguments."""

# RFC 9110 §8.3.1; parameters as far as anybody needs them.
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}"
    r"(?:; ?[A-Za-z0-9_-]{1,32}=[A-Za-z0-9_.+-]{1,64})*",
    re.ASCII,
)
_JSON_TEXT = "application/json; charset=UTF-8"
# RFC 7578 §4.2 and WHATWG HTML §4.10.21.8: what would end the name.
_NAME_ESCAPES = {'"': "%22", "\r": "%0D", "\n": "%0A"}


def payload(body: Body, given: Given) -> tuple[bytes, str]:
    """Return the bytes and the media type. Raises `ValetError` for what cannot be written."""
    values = [(p, value) for p, value in given if p.where == "body"]
    media_type = _media_type(body, given)
    match body.kind:
        case "json":
            value = values[0][1] if body.whole else {p.sent_as: v for p, v in values}
            return dumps(value).encode(), media_type
        case "form":
            return "&".join(pair for p, v in values for pair in in_form(p, v)).encode(), media_type
        case "multipart":
            parts = [part for p, v in values for part in _form_parts(p, v)]
            return _multipart(parts, media_type)
        case "related":
            return _related(values, media_type, given)
        case "raw":
            return b"".join(_bytes(p, v) for p, v in values), media_type
        case _:
            assert_never(body.kind)


def _media_type(body: Body, given: Given) -> str:
    """Return the media type that an argument names, or the body's own."""
    if body.kind == "related":
        return body.media_type
    for parameter, value in given:
        if parameter.where == "media_type":
            return _checked(parameter, value)
    return body.media_type


def _checked(parameter: Parameter, value: object) -> str:
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value):
        raise ValetError("bad_request", what=f"{parameter.name} is not a media type")
    return value


def _bytes(parameter: Parameter, value: object) -> bytes:
    """Return text in UTF-8, or what the base64 of a binary argument stands for."""
    text = contents(parameter, value) if parameter.content else scalar(value)
    if not parameter.binary:
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValetError("bad_request", what=f"{parameter.name} is not base64") from None


def _form_parts(parameter: Parameter, value: object) -> list[bytes]:
    """Return one part, or one for each item of a list (RFC 7578 §4.3)."""
    if parameter.style:
        return _styled_parts(parameter, value)
    items = value if isinstance(value, list) and not parameter.content else [value]
    return [_form_part(parameter, item) for item in items]


def _styled_parts(parameter: Parameter, value: object) -> list[bytes]:
    """Return a part for each pair that the style makes of the value (OpenAPI 3.1.1, §4.8.15)."""
    return [
        _part(f'form-data; name="{_escaped(name)}"', "", text.encode())
        for name, text in pairs(parameter, value, str, str)
    ]


def _form_part(parameter: Parameter, value: object) -> bytes:
    name = _escaped(parameter.sent_as)
    disposition = f'form-data; name="{name}"'
    if parameter.binary:
        disposition += f'; filename="{name}"'
    content = parameter.content
    if not content and parameter.binary:
        content = "application/octet-stream"
    if not content and isinstance(value, dict | list):
        content = "application/json"
    return _part(disposition, content, _bytes(parameter, value))


def _escaped(name: str) -> str:
    return "".join(_NAME_ESCAPES.get(character, character) for character in name)


def _part(disposition: str, content: str, data: bytes) -> bytes:
    head = f"Content-Disposition: {disposition}\r\n" if disposition else ""
    head += f"Content-Type: {content}\r\n" if content else ""
    return head.encode() + b"\r\n" + data + b"\r\n"


def _multipart(parts: list[bytes], media_type: str) -> tuple[bytes, str]:
    """Join the parts with a boundary that is made of them, so it is in none (RFC 2046 §5.1.1)."""
    boundary = "valet-" + hashlib.sha256(b"".join(parts)).hexdigest()[:32]
    lines = b"".join(b"--" + boundary.encode() + b"\r\n" + part for part in parts)
    return lines + f"--{boundary}--\r\n".encode(), f"{media_type}; boundary={boundary}"


def _related(values: Given, media_type: str, given: Given) -> tuple[bytes, str]:
    """Return metadata and media as Google wants them (Drive: *Upload file data*, multipart)."""
    metadata = {p.sent_as: v for p, v in values if not p.binary}
    parts = [_part("", _JSON_TEXT, dumps(metadata).encode())]
    chosen = [_checked(p, v) for p, v in given if p.where == "media_type"]
    for parameter, value in values:
        if parameter.binary:
            content = chosen[0] if chosen else "application/octet-stream"
            parts.append(_part("", content, _bytes(parameter, value)))
    return _multipart(parts, media_type)
