"""Calls of a form that was judged before: what the SDK's rules accept once, they accept again.

A client says the same of itself in every call. Its headers and its `_meta` are compared as a whole
with those of calls that `inbound` has accepted, and what differs from call to call (id, tool,
arguments) is plain enough to be looked at here. A call that is not of such a form is read as if
nobody had come before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from ..http import of_head
from . import inbound
from .inbound import Inbound, SchemaOf

_FORMS = 64
"""Forms that are remembered: a client has one or two."""

_LONGEST = 4096
"""Bytes of a `_meta` that is remembered."""

_NAME = b"mcp-name"
_OF_THE_CALL = (_NAME, b"content-length", b"authorization")
"""Headers that are no part of a form: the last is nobody's business here."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Head = tuple[tuple[bytes, bytes], ...]
Form = tuple[Head, bytes]


class _Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    arguments: dict[str, Any]
    meta: msgspec.Raw = msgspec.field(name="_meta")


class _Plain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call without anything unusual."""

    jsonrpc: Literal["2.0"]
    id: int | str
    method: Literal["tools/call"]
    params: _Params


_CALLS = msgspec.json.Decoder(_Plain)


class _Asked(NamedTuple):
    """What such a call asks for."""

    name: str
    arguments: Mapping[str, Any]
    meta: Mapping[str, Any]
    request_state: None = None
    input_responses: None = None


class Familiar:
    """Reads requests, and remembers the forms of those that were accepted."""

    def __init__(self) -> None:
        self._known: OrderedDict[Form, Inbound] = OrderedDict()

    def read(self, scope: Mapping[str, Any], body: bytes, schema_of: SchemaOf) -> Inbound | None:
        """Return what `inbound.read` does."""
        head = of_head(scope, "form", lambda: _head(scope))
        plain = _plain(scope, body) if head else None
        if plain is None:
            return inbound.read(scope, body, schema_of)
        params, form = plain.params, (head, bytes(plain.params.meta))
        known = self._known.get(form)
        if known is not None and schema_of(params.name) is None:
            meta = known.raw["_meta"]
            raw = {"name": params.name, "arguments": params.arguments, "_meta": meta}
            asked = _Asked(params.name, params.arguments, meta)
            return Inbound(
                plain.id,
                known.method,
                known.version,
                raw,
                asked,
                known.capabilities,
                known.waits,
            )
        judged = inbound.read(scope, body, schema_of)
        if judged is not None and judged.progress_token is None:
            self._remember(form, judged)
        return judged

    def _remember(self, form: Form, judged: Inbound) -> None:
        if len(form[1]) > _LONGEST:
            return
        # Of the call itself nothing is kept: its arguments are somebody's data.
        nothing = _Asked("", {}, {})
        of_all = {"_meta": judged.raw["_meta"]}
        self._known[form] = replace(judged, id=0, raw=of_all, params=nothing)
        if len(self._known) > _FORMS:
            self._known.popitem(last=False)


def _head(scope: Mapping[str, Any]) -> Head:
    """Return what the heads of a client's calls have in common; nothing of an unusual one."""
    headers = dict(scope["headers"])
    if scope["method"] != "POST" or len(headers) != len(scope["headers"]):
        return ()
    return tuple(header for header in headers.items() if header[0] not in _OF_THE_CALL)


def _plain(scope: Mapping[str, Any], body: bytes) -> _Plain | None:
    """Return a call that is one `tools/call` with a name, arguments and `_meta`, and no more."""
    try:
        call = _CALLS.decode(body)
    except _UNREADABLE:
        return None
    header = next((value for name, value in reversed(scope["headers"]) if name == _NAME), b"")
    return call if _is_named(call.params.name, header) else None


def _is_named(called: str, header: bytes) -> bool:
    """Tell whether the header says the tool's name as it is, in no encoding."""
    return called.isascii() and called.encode() == header and not called.startswith("=?")
