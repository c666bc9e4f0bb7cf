"""From a document to a toolset. No input or output: whoever fetched the document has done that.

One bad operation is left out with a reason; only a document without a single good one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from urllib.parse import urldefrag

from ....wire.errors import ValetError
from ...egress.denied import denied
from ...egress.request import METHODS, SAFE_METHODS
from ..model import Method, Need, Operation
from . import naming
from .arguments import named, query, target
from .bodies import Bodies
from .compiled import Compiled, Packer
from .discovery import Discovery
from .openapi import OpenApi
from .overrides import Overrides
from .parameters import Parameters, Places, merged
from .reading import read
from .responses import Responses, paging
from .schemas import Links, Schemas
from .security import Narrowness, needs, schemes
from .servers import Server, parsed, server
from .shapes import Format, Found, Skipped
from .swagger import Swagger
from .tree import Document
from .unusable import Unusable
from .wording import said, tags

MOST_OPERATIONS = 20_000
"""Operations of one document; the largest public ones have some 17,000."""

_TOOLSET = re.compile(r"[a-z][a-z0-9_]{0,29}", re.ASCII)
_NEVER = denied(())


def compile_document(
    raw: bytes | Mapping[str, Any],
    *,
    name: str,
    url: str = "",
    provider: str = "",
    overrides: Mapping[str, Any] | None = None,
) -> Compiled:
    """Compile OpenAPI 3.0–3.2, Swagger 2.0 or Google Discovery, in JSON, YAML or as a mapping.

    `name` is the toolset's, `provider` whose connections it uses (the same name unless said
    otherwise), `url` where the document came from: relative servers are resolved against it.
    Raises `ValetError`: `bad_document`, or `bad_overrides` (see `overrides.py`).
    """
    if not _TOOLSET.fullmatch(name):
        what = (
            f"{name[:40]!r} is no name for a toolset: lower-case letters, digits and _, 30 at most"
        )
        raise ValetError("bad_overrides", what=what)
    changes = Overrides.read(overrides or {})
    source = _format(Document(read(raw), base=urldefrag(url).url), url)
    return _Compiler(source, name, provider or name, url, changes).run()


def _format(document: Document, url: str) -> Format:
    kinds: tuple[type[OpenApi | Discovery], ...] = (OpenApi, Swagger, Discovery)
    for kind in kinds:
        if kind.recognises(document):
            return kind(document, url)
    what = "it is not OpenAPI 3.0, 3.1 or 3.2, Swagger 2.0 or Google Discovery"
    raise ValetError("bad_document", what=what)


@dataclass(frozen=True)
class _Placed:
    """An operation that can be offered, before it has its name."""

    found: Found
    path: str
    base: str
    server: Server
    alternatives: tuple[Need, ...]

    @property
    def writes(self) -> bool:
        return self.found.method not in SAFE_METHODS


class _Compiler:
    """One document on its way."""

    def __init__(
        self, source: Format, name: str, provider: str, url: str, changes: Overrides
    ) -> None:
        self._source = source
        self._name = name
        self._provider = provider
        self._url = url
        self._changes = changes
        self._skipped: list[Skipped] = []
        self._schemes = schemes(source.schemes())
        schemas, places = Schemas(source.document), Places.of(self._schemes)
        self._schemas = schemas
        self._parameters = Parameters(schemas, places, dotted_labels=source.dotted_labels)
        self._bodies = Bodies(source.document, schemas, places)
        self._responses = Responses(source.document)

    def run(self) -> Compiled:
        placed = self._placed()
        names = naming.operations(
            [p.base for p in placed], [p.found.key for p in placed], self._name
        )
        uses = ((p.alternatives, p.writes) for p in placed)
        narrowness = Narrowness(uses, self._source.meta.title)
        packer, used = Packer(), set[str]()
        for name, each in sorted(zip(names, placed, strict=True), key=lambda pair: pair[0]):
            if self._changes.wanted(name):
                self._add(packer, name, each, narrowness, used)
        self._check_changes(names)
        if not used:
            raise ValetError("bad_document", what=self._why_empty())
        return packer.compiled(
            self._name,
            self._provider,
            self._source.meta,
            self._schemes,
            tuple(self._skipped),
            self._notes(placed),
            self._changes.listing,
            self._changes.shaping,
        )

    def _placed(self) -> list[_Placed]:
        """Find out what there is and where it lives, without looking into it."""
        placed: list[_Placed] = []
        for found in self._source.operations(self._skipped):
            try:
                placed.append(self._place(found))
            except Unusable as reason:
                self._skipped.append(Skipped(found.key, str(reason)))
            if len(placed) > MOST_OPERATIONS:
                what = f"it has more than {MOST_OPERATIONS:,} operations"
                raise ValetError("bad_document", what=what)
        return placed

    def _place(self, found: Found) -> _Placed:
        if found.method not in METHODS:
            raise Unusable("its method is not one that is called")
        described = found.described
        where = self._server(found)
        path = found.path.partition("#")[0].partition("?")[0]
        if _NEVER.covers(found.method, where.base + path):
            raise Unusable("it hands out credentials, so it is never called")
        base = naming.basis(found.method, found.path, described.operationId)
        said = self._source.security if described.security is None else described.security
        return _Placed(found, path, base, where, needs(said))

    def _server(self, found: Found) -> Server:
        """Return where it lives; an operation's own server stays, whatever the person sets."""
        if not found.described.servers and not found.servers:
            return self._usual_server
        candidates = (found.described.servers, found.servers, self._source.servers)
        return server(candidates, self._url, self._changes.variables)

    @cached_property
    def _usual_server(self) -> Server:
        if self._changes.server:
            return parsed(self._changes.server, self._url)
        return server((self._source.servers,), self._url, self._changes.variables)

    def _add(
        self, packer: Packer, name: str, placed: _Placed, narrowness: Narrowness, used: set[str]
    ) -> None:
        try:
            operation = self._operation(name, placed, narrowness)
        except (Unusable, RecursionError, ValueError) as reason:
            words_for_it = str(reason) if isinstance(reason, Unusable) else "it is not well-formed"
            self._skipped.append(Skipped(placed.found.key, words_for_it))
            return
        change = self._changes.operations.get(name)
        if change is not None:
            operation = change.apply(operation)
        if change is None and operation.name in used:
            self._skipped.append(Skipped(placed.found.key, "another one has the same id and path"))
            return
        if operation.name in used or len(self._name) + len(operation.name) >= naming.LONGEST:
            what = f"{operation.name} is taken, or too long with the toolset's name in front"
            raise ValetError("bad_overrides", what=what)
        used.add(operation.name)
        packer.add(operation, placed.server.origin)

    def _operation(self, name: str, placed: _Placed, narrowness: Narrowness) -> Operation:
        found, described, links = placed.found, placed.found.described, Links()
        nodes = merged(self._source.document, found.shared, described.parameters)
        made = self._parameters.arguments(nodes, links)
        body, members = self._bodies.body(described.requestBody, found.key, links)
        path, parameters = named(placed.path, made, members)
        alternatives = narrowness.order(placed.alternatives)
        returns, linked, accept = self._responses.read(described.responses)
        summary, description = said(described.summary, described.description, name)
        return Operation(
            name,
            summary,
            cast(Method, found.method),
            target(placed.server.base + path),
            parameters,
            scopes=alternatives[0].scopes if alternatives else frozenset(),
            description=description,
            tags=tags(described.tags),
            deprecated=described.deprecated is True,
            body=body,
            alternatives=alternatives,
            accept=accept,
            fixed_query=(*described.fixed_query, *query(found.path)),
            fixed_headers=described.fixed_headers,
            defs=self._schemas.defs(links),
            returns=returns,
            paging=paging(parameters, linked, lambda: self._responses.names(described.responses)),
        )

    def _check_changes(self, names: list[str]) -> None:
        """Say which changes are for nothing: a document loses operations, and that is no error."""
        for name in sorted(self._changes.operations.keys() - set(names)):
            self._skipped.append(Skipped(name[:64], "a setting names it, and there is none"))

    def _notes(self, placed: list[_Placed]) -> tuple[str, ...]:
        upgraded = sorted({str(p.server.origin) for p in placed if p.server.upgraded})
        return tuple(f"It says http; {origin} is called by https." for origin in upgraded)

    def _why_empty(self) -> str:
        if not self._skipped:
            return "there is no operation in it that is switched on"
        return f"none of its operations can be used; of the first, {self._skipped[0].reason}"
