"""Google's Discovery documents, told in OpenAPI's terms (developers.google.com/discovery/v1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from .shapes import Described, Found, Meta, Skipped
from .text import words
from .tree import Document

_OAUTH = "Oauth2"
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)
_RESERVED = re.compile(r"\{\+([^{}]+)\}")
_DEPTH = 12
_FIELDS = {
    "name": "fields",
    "in": "query",
    "description": "Which members to answer with, for example `nextPageToken,files(id,name)`",
    "schema": {"type": "string"},
}
_ALT = {
    "name": "alt",
    "in": "query",
    "description": "`media` answers with the content rather than with what is known about it",
    "schema": {"enum": ["json", "media"], "default": "json"},
}
_WORDLESS = (
    "location",
    "required",
    "repeated",
    "description",
    "enumDescriptions",
    "enumDeprecated",
)


class Discovery:
    """A document of version 1 of the format."""

    any_scope = True
    dotted_labels = False
    security = None

    def __init__(self, document: Document, url: str) -> None:
        self.document = document
        document.bare = "/schemas"
        name, version = _text(document.get("name")), _text(document.get("version"))
        title = words(document.get("title"), 100) or name
        about = words(document.get("description"), 600)
        self.meta = Meta("Google Discovery", title, about, version)
        root = _text(document.get("rootUrl")) or _text(document.get("baseUrl"))
        self._root = root.rstrip("/")
        self._service = "/" + _text(document.get("servicePath")).strip("/")
        self._prefix = f"{name}."
        self.servers = [{"url": self._root}]

    @staticmethod
    def recognises(document: Document) -> bool:
        """Tell whether a document says that it is one."""
        return str(document.get("kind", "")) == "discovery#restDescription"

    def schemes(self) -> Mapping[str, Any]:
        """Return the one scheme there is; its endpoints are Google's, in no document."""
        oauth = self.document.mapping("auth").get("oauth2")
        scopes = oauth.get("scopes") if isinstance(oauth, dict) else None
        said = {
            name: scope.get("description", "") if isinstance(scope, dict) else ""
            for name, scope in (scopes.items() if isinstance(scopes, dict) else ())
        }
        flow = {
            "authorizationUrl": "https://accounts.google.com/o/oauth2/v2/auth",
            "tokenUrl": "https://oauth2.googleapis.com/token",
            "scopes": said,
        }
        return {_OAUTH: {"type": "oauth2", "flows": {"authorizationCode": flow}}} if said else {}

    def operations(self, skipped: list[Skipped]) -> Iterable[Found]:
        """Find the methods of all resources, and the uploads that some of them have besides."""
        for tags, method in _methods({n: self.document.get(n) for n in ("methods", "resources")}):
            key = _text(method.get("id")) or "a method without an id"
            path, verb = method.get("path"), _text(method.get("httpMethod")) or "GET"
            if not isinstance(path, str):
                skipped.append(Skipped(key, "it has no path"))
                continue
            described = self._described(method, tags)
            yield Found(key, verb, self._full(path), described)
            upload = _upload(method)
            if upload:
                told = _uploading(described)
                yield Found(f"{key}.upload", verb, f"/{upload.strip('/')}", told)

    def _full(self, path: str) -> str:
        if path.startswith("/"):
            return path
        return f"{self._service.rstrip('/')}/{path}"

    def _described(self, method: Mapping[str, Any], tags: tuple[str, ...]) -> Described:
        scopes = method.get("scopes")
        version = _text(method.get("apiVersion"))
        own = _text(method.get("id"))
        return Described(
            operationId=own.removeprefix(self._prefix),
            description=method.get("description"),
            parameters=self._parameters(method),
            requestBody=_json(method.get("request")),
            responses=_answer(method.get("response")),
            security=[{_OAUTH: [scope]} for scope in scopes] if isinstance(scopes, list) else None,
            tags=[tags[0]] if tags else None,
            deprecated=method.get("deprecated"),
            fixed_headers=(("X-Goog-Api-Version", version),) if _VERSION.fullmatch(version) else (),
        )

    def _parameters(self, method: Mapping[str, Any]) -> list[Any]:
        reserved = set(_RESERVED.findall(_text(method.get("path"))))
        found, order = method.get("parameters"), method.get("parameterOrder")
        named = found if isinstance(found, dict) else {}
        order = [n for n in order if isinstance(n, str)] if isinstance(order, list) else []
        first = {name: place for place, name in enumerate(order)}
        listed = sorted(named.items(), key=lambda item: first.get(item[0], len(first)))
        made = [_parameter(name, node, name in reserved) for name, node in listed]
        taken = {name for name, _ in listed}
        made += [_ALT] if method.get("supportsMediaDownload") is True and "alt" not in taken else []
        return made + ([_FIELDS] if "fields" not in taken else [])


def _methods(
    node: Mapping[str, Any], tags: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Walk the resources; each may hold methods and further resources."""
    methods, resources = node.get("methods"), node.get("resources")
    for method in methods.values() if isinstance(methods, dict) else ():
        if isinstance(method, dict):
            yield tags, method
    if len(tags) < _DEPTH:
        for name, resource in resources.items() if isinstance(resources, dict) else ():
            if isinstance(resource, dict):
                yield from _methods(resource, (*tags, name))


def _parameter(name: str, node: object, reserved: bool) -> Any:
    if not isinstance(node, dict):
        return node
    schema = {key: value for key, value in node.items() if key not in _WORDLESS}
    repeated = node.get("repeated") is True
    return {
        "name": name,
        "in": node.get("location", "query"),
        "description": node.get("description"),
        "required": node.get("required") is True,
        "deprecated": node.get("deprecated") is True,
        "schema": {"type": "array", "items": schema} if repeated else schema,
        "explode": True,
        "x-multi-segment": reserved,
    }


def _json(schema: object) -> Any:
    if not isinstance(schema, dict):
        return None
    # "parameterName" is a relic; the methods that name a request always take one.
    reference = {"$ref": schema["$ref"]} if "$ref" in schema else schema
    return {"content": {"application/json": {"schema": reference}}, "required": True}


def _answer(schema: object) -> msgspec.Raw:
    told = _json(schema)
    answer = {"200": {"content": told["content"]}} if told else {"204": {}}
    return msgspec.Raw(msgspec.json.encode(answer))


def _upload(method: Mapping[str, Any]) -> str:
    """Return the path for uploads in one request, when there is one."""
    media = method.get("mediaUpload")
    protocols = media.get("protocols") if isinstance(media, dict) else None
    simple = protocols.get("simple") if isinstance(protocols, dict) else None
    return _text(simple.get("path")) if isinstance(simple, dict) else ""


def _uploading(described: Described) -> Described:
    """Return the same operation with media (*Perform a multipart upload* of Drive's guides)."""
    content: dict[str, Any] = {"multipart/related": {"schema": {}}}
    if described.requestBody is not None:
        content = {"multipart/related": described.requestBody["content"]["application/json"]}
    said = words(described.description, 2_000)
    return msgspec.structs.replace(
        described,
        operationId=f"{described.operationId}.upload",
        description=f"With the content of a file: {said}",
        requestBody={"content": content, "required": True},
        fixed_query=(("uploadType", "multipart"),),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
