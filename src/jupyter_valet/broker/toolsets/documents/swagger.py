"""Swagger 2.0, told in the terms of its successor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from .openapi import OpenApi, followed, meta
from .parameters import merged
from .shapes import Described, Found, Skipped
from .tree import Document, members
from .unusable import Unusable

_STYLES = {"csv": "", "ssv": "spaceDelimited", "tsv": "tabDelimited", "pipes": "pipeDelimited"}
# What a parameter says about its value in place of a schema (2.0, *Parameter Object*).
_VALUE = (
    "type", "format", "items", "default", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems",
    "enum", "multipleOf", "x-nullable",
)  # fmt: skip
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


class Swagger(OpenApi):
    """A document of version 2.0."""

    def __init__(self, document: Document, url: str) -> None:
        self.document = document
        self.meta = meta(document, "Swagger 2.0")
        self.servers = [{"url": _server(document, url)}]
        self.security = document.get("security")
        self.dotted_labels = True
        self._consumes = document.get("consumes")
        self._produces = document.get("produces")

    @staticmethod
    def recognises(document: Document) -> bool:
        """Tell whether a document says that it is one."""
        return str(document.get("swagger", "")) in ("2.0", "2")

    def schemes(self) -> Mapping[str, Any]:
        """Return the security definitions."""
        return followed(self.document, self.document.container("securityDefinitions"))

    def operations(self, skipped: list[Skipped]) -> Iterable[Found]:
        """Find the operations and translate each."""
        for found in super().operations(skipped):
            try:
                parameters = merged(self.document, found.shared, found.described.parameters)
                told = self._translated(found.described, parameters)
            except Unusable as reason:
                skipped.append(Skipped(found.key, str(reason)))
                continue
            yield Found(found.key, found.method, found.path, told)

    def _translated(self, old: Described, parameters: list[Mapping[str, Any]]) -> Described:
        consumes = old.consumes if old.consumes is not None else self._consumes
        produces = old.produces if old.produces is not None else self._produces
        return msgspec.structs.replace(
            old,
            parameters=[_parameter(p) for p in parameters if p["in"] not in ("body", "formData")],
            requestBody=_body(parameters, _media_types(consumes)),
            responses=_responses(old.responses, _media_types(produces)),
            servers=None,
        )


def _body(parameters: list[Mapping[str, Any]], consumes: tuple[str, ...]) -> Any:
    """Return the Request Body Object that a body or form parameters amount to."""
    for node in parameters:
        if node["in"] == "body":
            kinds = [kind for kind in consumes if kind not in _FORMS] or ["application/json"]
            content = {kind: {"schema": node.get("schema", {})} for kind in kinds}
            return {**_said(node), "content": content, "required": node.get("required") is True}
    form = [p for p in parameters if p["in"] == "formData"]
    return _form(form, consumes) if form else None


def _responses(raw: msgspec.Raw, produces: tuple[str, ...]) -> msgspec.Raw:
    """Put each answer's schema under the first media type there is, JSON if possible."""
    kind = next((k for k in produces if "json" in k), next(iter(produces), "application/json"))
    made: dict[str, Any] = {}
    for code, answer in members(raw).items():
        said = members(answer)
        made[code] = {name: said[name] for name in ("headers", "$ref") if name in said}
        if "schema" in said:
            made[code]["content"] = {kind: {"schema": said["schema"]}}
    return msgspec.Raw(msgspec.json.encode(made))


def _server(document: Document, url: str) -> str:
    """Return the address that host, base path and schemes amount to; prefer https."""
    schemes = document.get("schemes")
    listed = schemes if isinstance(schemes, list) else []
    host = document.get("host") or urlsplit(url).netloc
    scheme = "https" if "https" in listed or not listed else str(listed[0])
    if not listed and url.startswith("http:"):
        scheme = "http"
    base = document.get("basePath")
    return f"{scheme}://{host}{base if isinstance(base, str) else ''}" if host else "/"


def _media_types(listed: object) -> tuple[str, ...]:
    return tuple(k for k in listed if isinstance(k, str)) if isinstance(listed, list) else ()


def _said(node: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": node["description"]} if "description" in node else {}


def _schema(node: Mapping[str, Any]) -> dict[str, Any]:
    return {keyword: node[keyword] for keyword in _VALUE if keyword in node}


def _parameter(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Parameter Object of version 3."""
    form = node.get("collectionFormat", "csv")
    made = {key: node[key] for key in ("name", "in", "description", "required") if key in node}
    if "schema" not in node:
        made["schema"] = _schema(node)
    style = _STYLES.get(form, "")
    return {**made, **({"style": style} if style else {}), "explode": form == "multi"}


def _form(parameters: list[Mapping[str, Any]], consumes: tuple[str, ...]) -> dict[str, Any]:
    """Return a form; one with a file in it is multipart."""
    files = any(p.get("type") == "file" for p in parameters) or consumes[:1] == _FORMS[:1]
    schema = {
        "type": "object",
        "properties": {p["name"]: {**_schema(p), **_said(p)} for p in parameters},
        "required": [p["name"] for p in parameters if p.get("required") is True],
    }
    encoding = {
        p["name"]: {"style": _STYLES.get(p.get("collectionFormat", "csv")) or "form",
                    "explode": p.get("collectionFormat") == "multi"}
        for p in parameters if p.get("type") == "array"
    }  # fmt: skip
    content = {_FORMS[0 if files else 1]: {"schema": schema, "encoding": encoding}}
    return {"content": content, "required": bool(schema["required"])}
