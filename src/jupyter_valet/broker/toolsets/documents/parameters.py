"""Arguments for path, query, headers and cookies (OpenAPI 3.1.1, §4.8.12)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...egress.request import may_be_argument
from ..model import Parameter, Style, Where
from .keywords import DESCRIPTION
from .schemas import Links, Schemas
from .security import Scheme
from .text import media_type, words
from .tree import Document
from .unusable import Unusable

_PLACES: Mapping[str, Where] = {
    "path": "path", "query": "query", "querystring": "querystring", "header": "header",
    "cookie": "cookie",
}  # fmt: skip
_STYLES: Mapping[str, tuple[Style, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "tabDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
    "querystring": ("form",),
}
# A credential is the broker's to add, never a caller's to choose (R122).
_SECRET = re.compile(
    r"(?:^|[-_])(?:auth|authorization|authentication|api[-_]?key|apikey|access[-_]?key|token|jwt"
    r"|bearer|secret|password|passwd|credentials?|session(?:[-_]?id)?|sid|sessid|csrf|xsrf"
    r"|csrftoken|signature)$",
    re.IGNORECASE,
)
_SECRET_IN_QUERY = frozenset(
    {"access_token", "oauth_token", "auth_token", "api_key", "api-key", "apikey", "client_secret"}
)
_SAYS_SECRET = re.compile(r"\bauth(?:entication|orization)? token\b|\bAPI key\b", re.IGNORECASE)


@dataclass(frozen=True)
class Places:
    """Where the credentials of a document's security schemes go."""

    names: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, schemes: Sequence[Scheme]) -> Places:
        """Collect the places of API keys."""
        return cls(frozenset((s.place, s.parameter.lower()) for s in schemes if s.place))

    def credential(self, where: str, name: str, description: str) -> bool:
        """Tell whether a parameter is for a credential, so that no caller gives it."""
        if (where, name.lower()) in self.names:
            return True
        if where in ("header", "cookie"):
            return _SECRET.search(name) is not None
        if name.lower() in _SECRET_IN_QUERY:
            return True
        return name.lower() in ("token", "key") and _SAYS_SECRET.search(description) is not None


def merged(document: Document, shared: object, own: object) -> list[Mapping[str, Any]]:
    """Return the parameters of an operation and those of its path that it does not override."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for listed in (shared, own):
        for node in listed if isinstance(listed, list) else ():
            parameter = document.followed(node)
            if not isinstance(parameter, dict):
                raise Unusable("a parameter in it is no object")
            name, place = parameter.get("name"), parameter.get("in")
            if not isinstance(name, str) or not name or not isinstance(place, str):
                raise Unusable("a parameter in it has no name or no place")
            found[(place, name)] = parameter
    return list(found.values())


class Parameters:
    """Makes arguments of the parameters of one document."""

    def __init__(self, schemas: Schemas, places: Places, *, dotted_labels: bool) -> None:
        self._schemas = schemas
        self._places = places
        self._dotted_labels = dotted_labels
        self._made: dict[int, tuple[object, Parameter | None, Links]] = {}

    def arguments(self, nodes: Iterable[Mapping[str, Any]], links: Links) -> list[Parameter]:
        """Return the arguments that are the caller's, under their names in the request.

        Raises `Unusable` for a place that does not exist. Parameters that many operations refer to
        are the same object, and made once.
        """
        made = []
        for node in nodes:
            held = self._made.get(id(node))
            if held is None:
                own = Links()
                held = self._made[id(node)] = (node, self._argument(node, own), own)
            links.add(held[2])
            if held[1] is not None:
                made.append(held[1])
        return made

    def _argument(self, node: Mapping[str, Any], links: Links) -> Parameter | None:
        name, where = node["name"], _PLACES.get(node["in"])
        if where is None:
            raise Unusable("a parameter in it has a place that is not known")
        description = words(node.get("description"), DESCRIPTION)
        if node.get("deprecated") is True and where != "path" and node.get("required") is not True:
            return None
        if where == "header" and not may_be_argument(name):
            return None
        if where != "path" and self._places.credential(where, name, description):
            return None
        content, schema = _schema(node)
        style, explode = ("", False) if content else self._style(where, node)
        return Parameter(
            name,
            where,
            self._schemas.convert(schema, links),
            description,
            required=node.get("required") is True or where == "path",
            style=cast(Style, style),
            explode=explode,
            reserved=node.get("allowReserved") is True or node.get("x-multi-segment") is True,
            content=content,
        )

    def _style(self, where: Where, node: Mapping[str, Any]) -> tuple[str, bool]:
        allowed = _STYLES[where]
        style = node.get("style")
        if style not in allowed:
            style = allowed[0]
        explode = node.get("explode")
        if not isinstance(explode, bool):
            explode = style == "form"
        if style == "label" and not explode and self._dotted_labels:
            style = "dotted"
        return style, explode


def _schema(node: Mapping[str, Any]) -> tuple[str, object]:
    """Return the media type of the value, when it has one, and its schema."""
    content = node.get("content")
    if isinstance(content, dict) and content:
        name, described = next(iter(content.items()))
        schema = described.get("schema") if isinstance(described, dict) else None
        return media_type(name) or "text/plain", schema
    return "", node.get("schema")
