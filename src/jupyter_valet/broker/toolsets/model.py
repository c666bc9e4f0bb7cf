"""What a tool is: one operation of an API, described well enough to call it safely."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..egress.origin import Origin
from ..egress.request import METHODS, SAFE_METHODS

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

Access = Literal["read", "write"]
Listing = Literal["auto", "connected", "all", "none"]
Method = Literal["GET", "HEAD", "QUERY", "POST", "PUT", "PATCH", "DELETE"]
Where = Literal["path", "query", "querystring", "header", "cookie", "body", "media_type"]
Style = Literal[
    "", "simple", "label", "dotted", "matrix", "form", "spaceDelimited", "tabDelimited",
    "pipeDelimited", "deepObject",
]  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One argument: where it goes in the request, what it may be, and how it is written there.

    `wire_name` is the API's own name for it where ours differs. `style` and `explode` are those of
    OpenAPI (3.1.1, §4.8.12.4); an empty style is that of the place: `simple` in a path or header,
    `form` elsewhere. `dotted` is what 3.0.3 and 3.1.0 call `label` without explode, `tabDelimited`
    is 2.0's `tsv`. `reserved` leaves RFC 3986's reserved characters as they are, in a path also the
    slash. A value with a `content` type is written in it rather than in a style. The text of a
    `binary` one is base64, and what it stands for is sent.
    """

    name: str
    where: Where
    schema: Mapping[str, Any] | bool
    description: str
    required: bool = False
    wire_name: str = ""
    style: Style = ""
    explode: bool = False
    reserved: bool = False
    content: str = ""
    binary: bool = False

    @property
    def sent_as(self) -> str:
        """The name in the request."""
        return self.wire_name or self.name

    @property
    def described(self) -> Mapping[str, Any] | bool:
        """The schema with the description in it."""
        if not self.description:
            return self.schema
        if isinstance(self.schema, bool):
            return {"description": self.description} if self.schema else False
        return {**self.schema, "description": self.description}


@dataclass(frozen=True)
class Body:
    """How the arguments for the body are put into one.

    Each is a member of the object that the body is, or the one there is makes it `whole`. `related`
    is Google's upload: metadata, then media (RFC 2387); `raw` is text or bytes as they are. A body
    that is not required is left out when no argument is for it.
    """

    kind: Literal["json", "form", "multipart", "related", "raw"] = "json"
    media_type: str = "application/json"
    required: bool = True
    whole: bool = False


JSON = Body()


@dataclass(frozen=True)
class Need:
    """One sufficient way of being allowed: all of these scopes, under all of these schemes.

    `schemes` are names of the document's security schemes; without any, anybody is allowed.
    """

    scopes: frozenset[str] = frozenset()
    schemes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Returns:
    """What an answer looks like, as far as the document tells: a hint for trimming it.

    `records` is the member that holds the list, when an object is wrapped around one; `fields` are
    the names of the members of one record, or of the object.
    """

    kind: Literal["", "object", "array", "text", "binary", "nothing"] = ""
    records: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paging:
    """How there is more: by a `Link` header (RFC 8288), by a token, by a number.

    The argument `argument` takes what the answer's member `member` (dotted) holds; without a
    `member` it counts pages or records.
    """

    kind: Literal["link", "token", "page", "offset"]
    argument: str = ""
    member: str = ""


@dataclass(frozen=True)
class Operation:
    """One tool.

    `path` is a template whose placeholders are path parameters. `scopes` are those that the
    connection must hold before the call is worth trying; when several sets would do,
    `alternatives` has all of them, the narrowest first, and `scopes` is that one. `fixed_query` and
    `fixed_headers` go with every request, `defaults` are arguments that a caller may leave out.
    `origin` is set where an operation lives on another host than its toolset. `defs` are the
    schemas that the parameters' schemas refer to as `#/$defs/…`. `effect` overrides what the method
    says about reading and writing. `select` is JMESPath: what of an answer a model is given.
    """

    name: str
    summary: str
    method: Method
    path: str
    parameters: tuple[Parameter, ...] = ()
    scopes: frozenset[str] = frozenset()
    fixed_query: tuple[tuple[str, str], ...] = ()
    origin: Origin | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    body: Body | None = JSON
    alternatives: tuple[Need, ...] = ()
    accept: str = ""
    fixed_headers: tuple[tuple[str, str], ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    defs: Mapping[str, Any] = field(default_factory=dict)
    returns: Returns = Returns()
    paging: Paging | None = None
    effect: Access | None = None
    select: str = ""

    def __post_init__(self) -> None:
        in_path = {p.name for p in self.parameters if p.where == "path" and p.required}
        placeholders = set(_PLACEHOLDER.findall(self.path))
        if not _NAME.fullmatch(self.name) or in_path != placeholders:
            raise ValueError(f"operation {self.name!r} does not fit its path {self.path!r}")
        if self.method not in METHODS:
            raise ValueError(f"operation {self.name!r} has no method of an API")

    @property
    def access(self) -> Access:
        """Whether the operation changes anything at the provider (RFC 9110 §9.2.1)."""
        return self.effect or ("read" if self.method in SAFE_METHODS else "write")

    def scopes_for(self, granted: AbstractSet[str]) -> frozenset[str]:
        """Return the scopes that a connection with the `granted` ones must have.

        The narrowest set that it has already, otherwise the narrowest there is. Both sides are
        compared by name: a caller that knows which scopes contain others adds those to `granted`.
        """
        for need in self.alternatives:
            if need.scopes <= granted:
                return need.scopes
        return self.scopes

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments; nothing that is not declared is taken."""
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {p.name: p.described for p in self.parameters},
            "required": [
                p.name for p in self.parameters if p.required and p.name not in self.defaults
            ],
            "additionalProperties": False,
        }
        return schema | {"$defs": dict(self.defs)} if self.defs else schema


@dataclass(frozen=True)
class Shaping:
    """How answers become what a model is given (`broker.shaping`).

    `trim` leaves out what is for programs; `limit` is in characters of JSON.
    """

    trim: bool = True
    limit: int = 24_000


@dataclass(frozen=True)
class Toolset:
    """The tools of one source, all used with connections of one provider.

    `headers` are fixed request headers of the API. `granted_header` and `accepted_header` name the
    response headers by which an API that knows no RFC 6750 challenge tells which scopes the token
    has and which would do (GitHub). `listing` says whether clients are shown all of its tools,
    none (search finds them), all unless they are many, or that as soon as there is a connection.
    `verdict` names the member of an answer that is false when a call failed in spite of its status
    (Slack).
    """

    name: str
    title: str
    provider: str
    origin: Origin
    operations: Sequence[Operation]
    headers: Mapping[str, str] = field(default_factory=dict)
    granted_header: str = ""
    accepted_header: str = ""
    listing: Listing = "auto"
    shaping: Shaping = Shaping()
    verdict: str = ""

    def __post_init__(self) -> None:
        names = [operation.name for operation in self.operations]
        if not _NAME.fullmatch(self.name) or len(set(names)) != len(names):
            raise ValueError(f"toolset {self.name!r} is not well-formed")

    def origin_of(self, operation: Operation) -> Origin:
        """Return where `operation` lives."""
        return operation.origin or self.origin
