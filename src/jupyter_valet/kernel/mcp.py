"""The words of MCP 2026-07-28 that this client speaks: requests out, replies in. No I/O.

Sources: specification 2026-07-28, `basic/index` (`_meta`, ResultType, error codes),
`basic/transports/streamable-http` (headers, SSE), `basic/patterns/mrtr` (InputRequiredResult).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from .._version import __version__
from ..wire import mcp as names
from ..wire.errors import RemoteError, ValetError
from .plain_text import one_line

INVALID_PARAMS = -32602
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PLAIN_HEADER = re.compile(r"[\x20-\x7e]*")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_ENCODED_HEADER = re.compile(r"=\?base64\?.*\?=")


@dataclass(frozen=True)
class Question:
    """One URL elicitation inside an `InputRequiredResult`; `key` names the answer to it."""

    key: str
    url: str
    message: str


class StateRefused(Exception):
    """The broker did not accept the `requestState`: it is too old, or was used already."""


class Call(NamedTuple):
    """One JSON-RPC request before it has an id: each leg of a call gets its own (MC-03)."""

    method: str
    params: Mapping[str, Any] = _NOTHING
    headers: Mapping[str, str] = _NOTHING
    """`Mcp-Param-*` headers that the tool's schema asks for."""
    meta: Mapping[str, Any] = _NOTHING
    """What we ask of our own broker, in `_meta`."""

    def http_headers(self) -> Mapping[str, str]:
        """Return the headers of streamable HTTP (MC-06)."""
        name = str(self.params[_NAMED[self.method]]) if self.method in _NAMED else None
        return _http_headers(self.method, name, tuple(self.headers.items()))

    def body(self, request_id: int) -> bytes:
        """Return the JSON-RPC message. Raises `ValetError` when an argument is not JSON."""
        message = {
            "jsonrpc": "2.0",
            "id": request_id,
            "method": self.method,
            "params": {**self.params, "_meta": {**_META, **self.meta}},
        }
        try:
            return _ENCODER.encode(message).encode()
        except (TypeError, ValueError) as error:
            tool = str(self.params.get("name", self.method))
            raise ValetError("bad_arguments", tool=tool, what=one_line(error)) from None


@lru_cache(maxsize=128)
def _http_headers(
    method: str, name: str | None, more: tuple[tuple[str, str], ...]
) -> Mapping[str, str]:
    found = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        names.HEADER_VERSION: names.PROTOCOL_VERSION,
        names.HEADER_METHOD: method,
        **dict(more),
    }
    if name is not None:
        found[names.HEADER_NAME] = header_value(name)
    return MappingProxyType(found)


_META = {
    names.META_VERSION: names.PROTOCOL_VERSION,
    # URL mode alone: that is what the card does (EC-01, EC-02).
    names.META_CAPABILITIES: {"elicitation": {"url": {}}},
    names.META_CLIENT: {"name": "jupyter-valet", "version": __version__},
}


def header_value(value: str) -> str:
    """Return `value` as an HTTP field, base64-wrapped when it would not survive as it is."""
    plain = _PLAIN_HEADER.fullmatch(value) and value == value.strip()
    if plain and not _ENCODED_HEADER.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def _jsonable(value: Any) -> Any:
    """Turn what data scientists have at hand (NumPy scalars and arrays, dates) into JSON."""
    for method in ("isoformat", "tolist", "item"):
        if callable(convert := getattr(value, method, None)):
            return convert()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent")


_ENCODER = json.JSONEncoder(default=_jsonable, allow_nan=False)
_DECODER = json.JSONDecoder()


def events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the JSON-RPC messages of an SSE stream; comments (keep-alive pings) are dropped.

    Source: WHATWG HTML, section 9.2.6, as far as `data` lines go.
    """
    data: list[bytes] = []
    for line in lines:
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield parse(b"\n".join(data))
            data = []
    if data:
        yield parse(b"\n".join(data))


def parse(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`. Raises `ValetError` when there is none."""
    try:
        message = _DECODER.decode(str(body, "utf-8"))  # RFC 8259 §8.1, and no other encoding
    except ValueError:
        raise ValetError("protocol_error", what="an answer is not JSON") from None
    if not isinstance(message, dict):
        raise ValetError("protocol_error", what="an answer is not an object")
    return message


def is_reply(message: Mapping[str, Any], request_id: int) -> bool:
    """Tell whether `message` answers the request; progress, logs and the like do not.

    An error without an id answers the request that could not be read.
    """
    if "method" in message:
        return False
    return message.get("id") == request_id or (message.get("id") is None and "error" in message)


def result(message: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """Return the reply's result. Raises `ValetError` for every error and invalid result."""
    if "error" in message:
        raise to_error(message["error"], call)
    found = message.get("result")
    if not isinstance(found, dict):
        raise ValetError("protocol_error", what="a reply has no result")
    kind = found.get("resultType", "complete")  # MC-05: absent means complete
    if kind not in ("complete", "input_required"):
        raise ValetError("protocol_error", what="a reply has an unknown resultType")
    return found


def to_error(error: Any, call: Call) -> Exception:
    """Return the exception for a JSON-RPC error, or for the broker's own error body."""
    known = error if isinstance(error, dict) else {}
    code, data = known.get("code"), known.get("data")
    details = data if isinstance(data, dict) else {}
    if isinstance(code, str):
        return RemoteError({"error": known})
    if isinstance(ours := details.get(names.META_ERROR), dict):
        return _remote(ours)
    if details.get("reason") == "invalid_request_state":
        return StateRefused()
    if code == INVALID_PARAMS:
        tool = str(call.params.get("name", call.method))
        return ValetError("bad_arguments", tool=tool, what=one_line(known.get("message", "")))
    if code == -32603:
        return ValetError("internal")
    return ValetError("protocol_error", what=f"error {code}" if isinstance(code, int) else "error")


def tool_error(reply: Mapping[str, Any]) -> ValetError | None:
    """Return the error in a `tools/call` result, or None when the tool succeeded."""
    if not reply.get("isError"):
        return None
    meta = reply.get("_meta")
    ours = meta.get(names.META_ERROR) if isinstance(meta, dict) else None
    if isinstance(ours, dict):
        return _remote(ours)
    return ValetError("tool_failed", what=one_line(text_of(reply) or "no reason given", 600))


def _remote(ours: dict[str, Any]) -> RemoteError:
    return RemoteError(ours if "error" in ours else {"error": ours})


def text_of(reply: Mapping[str, Any]) -> str:
    """Return the text blocks of a `tools/call` result."""
    blocks = reply.get("content")
    found = blocks if isinstance(blocks, list) else []
    return "\n".join(
        str(b.get("text", "")) for b in found if isinstance(b, dict) and b.get("type") == "text"
    )


def questions(reply: Mapping[str, Any]) -> list[Question]:
    """Return the URL elicitations that an `InputRequiredResult` asks for.

    Anything that this client did not declare is refused (EC-08): sampling, roots, and form mode,
    which a missing `mode` means (EC-03). Raises `ValetError`.
    """
    requests = reply.get("inputRequests")
    if requests is None and isinstance(reply.get("requestState"), str):
        return []
    if not isinstance(requests, dict) or not (requests or "requestState" in reply):
        raise ValetError("protocol_error", what="an input request has no content")
    return [_question(key, request) for key, request in requests.items()]


def _question(key: str, request: Any) -> Question:
    params = request.get("params") if isinstance(request, dict) else None
    if not isinstance(params, dict) or request.get("method") != "elicitation/create":
        raise ValetError("protocol_error", what="it asks for something this client does not do")
    if params.get("mode", "form") != "url":
        raise ValetError("protocol_error", what="it asks by a form, and this client takes URLs")
    url, message = params.get("url"), params.get("message")
    if not isinstance(url, str) or not isinstance(message, str):
        raise ValetError("protocol_error", what="an elicitation has no url or no message")
    return Question(key, url, message)
