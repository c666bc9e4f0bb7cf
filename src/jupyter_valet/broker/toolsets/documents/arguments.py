"""The arguments of an operation under their names, and the path that they fill."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl, quote

from ...egress.origin import check_target
from ..model import Parameter
from . import naming
from .unusable import Unusable

_PLACEHOLDER = re.compile(r"\{\+?([^{}/]*)\}")


def named(
    path: str, own: list[Parameter], members: list[Parameter]
) -> tuple[str, tuple[Parameter, ...]]:
    """Give all arguments their names, and the path those of its placeholders."""
    placeholders = set(_PLACEHOLDER.findall(path))
    # A parameter that the path has no place for is no parameter; one that is missing gets one.
    kept = [p for p in own if p.where != "path" or p.name in placeholders]
    missing = placeholders - {p.name for p in kept if p.where == "path"}
    kept = [_undeclared(name) for name in sorted(missing)] + kept + members
    names = naming.arguments([(p.where, p.name) for p in kept])
    in_path = {p.name: name for p, name in zip(kept, names, strict=True) if p.where == "path"}
    literal, *rest = _PLACEHOLDER.split(path)
    if any("{" in text or "}" in text for text in (literal, *rest[1::2])):
        raise Unusable("its path is not well-formed")
    for placeholder, text in zip(rest[::2], rest[1::2], strict=True):
        literal += f"{{{in_path[placeholder]}}}{text}"
    return literal, tuple(
        p if p.name == name else replace(p, name=name, wire_name=p.name)
        for p, name in zip(kept, names, strict=True)
    )


def target(template: str) -> str:
    """Return a path in the grammar of requests; raises `ValueError` for one that cannot be."""
    path = quote(template, safe="/{}:@!$&'()*+,;=%~")
    check_target(_PLACEHOLDER.sub("x", path))
    return path


def query(path: str) -> list[tuple[str, str]]:
    """Return the query that some documents write into a path, to tell operations apart."""
    return parse_qsl(path.partition("#")[0].partition("?")[2], keep_blank_values=True)


def _undeclared(name: str) -> Parameter:
    return Parameter(name, "path", {"type": "string"}, "", required=True, style="simple")
