"""The request body (OpenAPI 3.1.1, §4.8.13–4.8.15): its members as arguments, or one `body`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from ..model import Body, Parameter, Style
from .content import BYTES, RELATED, Content, chosen, is_text
from .keywords import DESCRIPTION
from .parameters import Places
from .schemas import Links, Schemas
from .text import media_type, words
from .tree import Document
from .unusable import Unusable

_ALTERNATIVES = frozenset({"oneOf", "anyOf", "not", "if", "patternProperties", "propertyNames"})
_DEPTH = 8
_ENCODED_STYLES = ("form", "spaceDelimited", "pipeDelimited", "deepObject")


@dataclass(frozen=True)
class Members:
    """The members of an object that a body is."""

    properties: Mapping[str, Any]
    required: frozenset[str]


class Bodies:
    """Makes arguments of the bodies of one document."""

    def __init__(self, document: Document, schemas: Schemas, places: Places) -> None:
        self._document = document
        self._schemas = schemas
        self._places = places

    def body(self, node: object, key: str, links: Links) -> tuple[Body | None, list[Parameter]]:
        """Return how the body is written and the arguments for it. Raises `Unusable`."""
        node = self._document.followed(node)
        contents = node.get("content") if isinstance(node, dict) else None
        if not isinstance(node, dict) or not isinstance(contents, dict) or not contents:
            return None, []
        content = chosen(contents, node)
        if content.kind == "raw":
            return _raw(content, contents)
        if content.kind == "related":
            return self._related(content, key, links)
        members = self._members(content.schema, 0)
        body = Body(content.kind, content.media_type, content.required, whole=members is None)
        if members is None:
            return self._whole(content, body, links)
        return body, self._arguments(content, members, key, links)

    def _whole(self, content: Content, body: Body, links: Links) -> tuple[Body, list[Parameter]]:
        """A list, a choice, a free map: one argument is all of it."""
        if content.kind == "multipart":
            raise Unusable("its multipart body names no parts")
        schema = self._schemas.convert(content.schema, links)
        if content.kind == "form":
            body = replace(body, kind="raw")
            schema = {"type": "string", "description": "The form, encoded"}
        return body, [Parameter("body", "body", schema, content.description, body.required)]

    def _related(self, content: Content, key: str, links: Links) -> tuple[Body, list[Parameter]]:
        """Metadata, whose members are arguments, and media."""
        members = self._members(content.schema, 0)
        made = self._arguments(content, members, key, links) if members else []
        schema = _base64({})
        media = Parameter("media", "body", schema, "The content, in base64", True, binary=True)
        kind = {"type": "string", "default": BYTES}
        choice = Parameter("media_type", "media_type", kind, "Media type of the content")
        return Body("related", RELATED), [*made, media, choice]

    def _arguments(
        self, content: Content, members: Members, key: str, links: Links
    ) -> list[Parameter]:
        made = []
        for name, node in members.properties.items():
            description = (
                words(node.get("description"), DESCRIPTION) if isinstance(node, dict) else ""
            )
            if content.kind == "form" and self._places.credential("query", name, description):
                continue
            required = name in members.required or _annotated(node, key)
            schema = self._schemas.convert(node, links)
            parameter = Parameter(name, "body", schema, "", required and not content.optional)
            made.append(self._encoded(parameter, content, node))
        return made

    def _encoded(self, made: Parameter, content: Content, node: object) -> Parameter:
        """Apply the Encoding Object (§4.8.15) of a form's or multipart body's member."""
        if content.kind in ("json", "related"):
            return made
        encoding = content.encoding.get(made.name)
        encoding = encoding if isinstance(encoding, dict) else {}
        style, explode = encoding.get("style"), encoding.get("explode")
        if style in _ENCODED_STYLES or isinstance(explode, bool):
            style = style if style in _ENCODED_STYLES else "form"
            explode = explode if isinstance(explode, bool) else style == "form"
            return replace(made, style=cast(Style, style), explode=explode)
        return self._by_type(made, content, node, encoding)

    def _by_type(
        self, made: Parameter, content: Content, node: object, encoding: Mapping[str, Any]
    ) -> Parameter:
        """Without a style the type decides (§4.8.15.1): objects are JSON, files are bytes."""
        kind, binary = self._kind(node)
        wanted = media_type(str(encoding.get("contentType", "")).split(",")[0])
        if content.kind == "form":
            return replace(
                made, explode=True, content="application/json" if kind == "object" else ""
            )
        wanted = "" if "*" in wanted else wanted
        is_bytes = binary or (kind == "string" and bool(wanted) and not is_text(wanted))
        if kind == "object" and not wanted:
            wanted = "application/json"
        schema = _base64(made.schema) if is_bytes else made.schema
        return replace(
            made, schema=schema, content="" if is_bytes and not wanted else wanted, binary=is_bytes
        )

    def _kind(self, node: object) -> tuple[str, bool]:
        """Return the type of a part, of its items when it is a list, and whether it is bytes."""
        node = self._document.followed(node)
        if not isinstance(node, dict):
            return "", False
        kind = node.get("type")
        kind = next((k for k in kind if k != "null"), "") if isinstance(kind, list) else kind
        if kind == "array":
            return self._kind(node.get("items"))
        binary = node.get("format") == "binary" or kind == "file"
        inner = media_type(node.get("contentMediaType"))
        if inner and "contentEncoding" not in node:
            binary = binary or not is_text(inner)
        return str(kind or ("object" if "properties" in node else "")), binary

    def _members(self, node: object, depth: int) -> Members | None:
        """Return the members of a plain object; None when it is something else."""
        node = self._document.followed(node)
        if not isinstance(node, dict) or depth > _DEPTH or _ALTERNATIVES & node.keys():
            return None
        if node.get("additionalProperties") not in (None, False) or node.get("nullable") is True:
            return None
        parts = node.get("allOf")
        if not isinstance(node.get("properties"), dict) and not isinstance(parts, list):
            return None
        if node.get("type", "object") != "object":
            return None
        joined = (
            [self._members(part, depth + 1) for part in parts] if isinstance(parts, list) else []
        )
        if None in joined:
            return None
        return self._joined(node, [part for part in joined if part is not None])

    def _joined(self, node: Mapping[str, Any], parts: list[Members]) -> Members | None:
        own = node.get("properties")
        properties: dict[str, Any] = {}
        for part in parts:
            properties |= part.properties
        properties |= own if isinstance(own, dict) else {}
        listed = node.get("required")
        required = {n for n in listed if isinstance(n, str)} if isinstance(listed, list) else set()
        for part in parts:
            required |= part.required
        properties = {n: p for n, p in properties.items() if not self._read_only(p)}
        return Members(properties, frozenset(required)) if properties else None

    def _read_only(self, node: object) -> bool:
        if not isinstance(node, dict):
            return False
        if node.get("readOnly") is True:
            return True
        target = self._document.followed(node) if "$ref" in node else node
        return isinstance(target, dict) and target.get("readOnly") is True


def _raw(content: Content, contents: Mapping[str, Any]) -> tuple[Body, list[Parameter]]:
    """Text as it is or bytes in base64; several media types, or a range of them, are a choice."""
    kinds = [kind for name in contents if (kind := media_type(name))]
    text = is_text(content.media_type)
    fixed = [kind for kind in kinds if "*" not in kind and is_text(kind) == text]
    own = fixed[0] if fixed else "text/plain" if text else BYTES
    schema: dict[str, Any] = {"type": "string"} if text else _base64({"type": "string"})
    arguments = [
        Parameter("body", "body", schema, content.description, content.required, binary=not text)
    ]
    open_choice = any("*" in kind for kind in kinds)
    if open_choice or len(fixed) > 1:
        choice: dict[str, Any] = {"type": "string", "default": own}
        choice |= {} if open_choice else {"enum": fixed}
        arguments.append(Parameter("content_type", "media_type", choice, "Media type of the body"))
    return Body("raw", own, content.required, whole=True), arguments


def _base64(schema: Mapping[str, Any] | bool) -> dict[str, Any]:
    made = dict(schema) if isinstance(schema, Mapping) else {}
    if made.get("type") == "array" and isinstance(made.get("items"), Mapping):
        return {**made, "items": _base64(made["items"])}
    made.pop("format", None)
    return {**made, "type": "string", "contentEncoding": "base64"}


def _annotated(node: object, key: str) -> bool:
    """Tell whether Discovery says that this very method needs the member."""
    notes = node.get("annotations") if isinstance(node, dict) else None
    listed = notes.get("required") if isinstance(notes, dict) else None
    return isinstance(listed, list) and key in listed
