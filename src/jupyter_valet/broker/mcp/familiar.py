"""Calls of a form that was judged before: what the SDK's rules accept once, they accept again.

A client says the same of itself in every call. Its headers and its `_meta` are compared as a whole
with those of calls that `inbound` has accepted, and what differs from call to call (id, tool,
arguments) is plain enough to be looked at here. A call that is not of such a form is read as if
nobody had come before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from . import inbound
from .inbound import Inbound, SchemaOf

_FORMS = 64
"""Forms that are remembered: a client has one or two."""

_LONGEST = 4096
"""Characters of a `_meta` that is remembered."""

_OF_THE_CALL = (b"mcp-name", b"content-length", b"authorization")
"""Headers that are no part of a form: the last is nobody's business here."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Form = tuple[tuple[tuple[bytes, bytes], ...], str]


class _Asked(NamedTuple):
    """What such a call asks for."""

    name: str
    arguments: Mapping[str, Any]
    meta: Mapping[str, Any]
    request_state: None = None
    input_responses: None = None


class _Plain(NamedTuple):
    """A call without anything unusual, and the form that it is of."""

    id: int | str
    params: dict[str, Any]
    form: Form


class Familiar:
    """Reads requests, and remembers the forms of those that were accepted."""

    def __init__(self) -> None:
        self._known: OrderedDict[Form, Inbound] = OrderedDict()

    def read(self, scope: Mapping[str, Any], body: bytes, schema_of: SchemaOf) -> Inbound | None:
        """Return what `inbound.read` does."""
        plain = _plain(scope, body)
        if plain is None:
            return inbound.read(scope, body, schema_of)
        known = self._known.get(plain.form)
        if known is not None and schema_of(plain.params["name"]) is None:
            asked = plain.params
            params = _Asked(asked["name"], asked["arguments"], asked["_meta"])
            return Inbound(
                plain.id,
                known.method,
                known.version,
                plain.params,
                params,
                known.capabilities,
                known.waits,
            )
        judged = inbound.read(scope, body, schema_of)
        if judged is not None:
            self._remember(plain.form, judged)
        return judged

    def _remember(self, form: Form, judged: Inbound) -> None:
        # Of the call itself nothing is kept: its arguments are somebody's data.
        nothing = _Asked("", {}, {})
        self._known[form] = replace(judged, id=0, raw={}, params=nothing)
        if len(self._known) > _FORMS:
            self._known.popitem(last=False)


def _plain(scope: Mapping[str, Any], body: bytes) -> _Plain | None:
    """Return a call that is one `tools/call` with a name, arguments and `_meta`, and no more."""
    headers = dict(scope["headers"])
    if scope["method"] != "POST" or len(headers) != len(scope["headers"]):
        return None
    name = headers.get(b"mcp-name", b"")
    try:
        message = msgspec.json.decode(body)
    except _UNREADABLE:
        return None
    match message:
        case {
            "jsonrpc": "2.0",
            "id": int() | str() as identity,
            "method": "tools/call",
            "params": {"name": str(called), "arguments": dict(), "_meta": dict(meta)} as params,
        }:
            unusual = len(message) > 4 or len(params) > 3 or isinstance(identity, bool)
        case _:
            return None
    if unusual or "progressToken" in meta or not _is_named(called, name):
        return None
    about = repr(meta)
    if len(about) > _LONGEST:
        return None
    for header in _OF_THE_CALL:
        headers.pop(header, None)
    return _Plain(identity, params, (tuple(headers.items()), about))


def _is_named(called: str, header: bytes) -> bool:
    """Tell whether the header says the tool's name as it is, in no encoding."""
    return called.isascii() and called.encode() == header and not called.startswith("=?")
