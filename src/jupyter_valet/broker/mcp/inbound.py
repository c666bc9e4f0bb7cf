"""From a POST of 2026-07-28 to a request that is whole, or to nothing: no I/O.

In that revision a request is one POST and its answer is one JSON object, unless it takes long. What
the SDK does around that (a connection, a session, a runner, two streams, a task group) costs ten
times as much as the call. So the request is read here, by the SDK's own rules and models, and
whatever is amiss or unusual is not judged here: the SDK's server is handed the same bytes, and its
refusal is the answer (PS-03).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mcp.shared.inbound import (
    InboundModernRoute,
    classify_inbound_request,
    validate_mcp_param_headers,
)
from mcp_types import (
    CallToolRequestParams,
    ClientCapabilities,
    JSONRPCRequest,
    PaginatedRequestParams,
    RequestId,
)
from mcp_types.methods import validate_client_request
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from msgspec import Struct
from pydantic import BaseModel, ValidationError

from ..http import of_head
from .patience import declared

RawHeaders = Iterable[tuple[bytes, bytes]]
SchemaOf = Callable[[str], Mapping[str, Any] | None]
"""Returns the input schema of a tool, or None when it declares no headers."""

_PARAMS: Mapping[str, type[BaseModel]] = {
    "tools/call": CallToolRequestParams,
    "tools/list": PaginatedRequestParams,
}
"""The methods that are answered here; the SDK answers the others."""

_OLDER = frozenset(version.encode() for version in HANDSHAKE_PROTOCOL_VERSIONS)
_ACCEPTED = {"application/json", "text/event-stream"}


class Inbound(Struct, frozen=True):
    """A request that the SDK would accept, with its parameters as they came and as a model."""

    id: RequestId
    method: str
    version: str
    raw: Mapping[str, Any]
    params: Any
    capabilities: Any
    waits: float | None = None
    """Seconds that the client says it waits."""

    @property
    def progress_token(self) -> str | int | None:
        """What the client wants to hear of progress under, if it does."""
        token: str | int | None = self.raw["_meta"].get("progressToken")
        return token

    @property
    def url(self) -> bool:
        """Whether this request declares URL mode (ES-03, PS-01)."""
        try:
            capabilities = ClientCapabilities.model_validate(self.capabilities, by_name=False)
        except ValidationError:
            return False
        return capabilities.elicitation is not None and capabilities.elicitation.url is not None


def is_single(scope: Mapping[str, Any]) -> bool:
    """Tell whether a request is of a revision without sessions; the SDK decides the same way."""
    return of_head(scope, "single", lambda: _is_single(scope["headers"]))


def _is_single(headers: RawHeaders) -> bool:
    version = next((value for name, value in headers if name == b"mcp-protocol-version"), None)
    return version is not None and version not in _OLDER


def read(scope: Mapping[str, Any], body: bytes, schema_of: SchemaOf) -> Inbound | None:
    """Return the request, or None for what the SDK shall answer."""
    headers = _headers(scope["headers"])
    if headers is None or not _is_for_us(scope["method"], headers):
        return None
    try:
        decoded = json.loads(body)
        message = JSONRPCRequest.model_validate(decoded)
    except (ValueError, RecursionError):
        return None
    route = classify_inbound_request(decoded, headers=headers)
    if message.method not in _PARAMS or not isinstance(route, InboundModernRoute):
        return None
    raw_params: dict[str, Any] = decoded["params"]
    try:
        validate_client_request(message.method, route.protocol_version, raw_params)
        params = _PARAMS[message.method].model_validate(raw_params, by_name=False)
    except ValidationError:
        return None
    if isinstance(params, CallToolRequestParams) and not _agrees(params, headers, schema_of):
        return None
    return Inbound(
        message.id,
        message.method,
        route.protocol_version,
        raw_params,
        params,
        route.client_capabilities,
        declared(scope["headers"]),
    )


def _headers(raw: RawHeaders) -> dict[str, str] | None:
    """Return the headers, or None when one is there twice: readers could disagree about it."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    headers = dict(pairs)
    return headers if len(headers) == len(pairs) else None


def _is_for_us(http_method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether method, type and accepted answers are as the transport demands."""
    if http_method != "POST":
        return False
    if not headers.get("content-type", "").lower().startswith("application/json"):
        return False
    accepted = headers.get("accept", "").split(",")
    return {kind.partition(";")[0].strip().lower() for kind in accepted} >= _ACCEPTED


def _agrees(params: CallToolRequestParams, headers: Mapping[str, str], schema_of: SchemaOf) -> bool:
    """Tell whether the `Mcp-Param-*` headers say what the arguments say (streamable-http)."""
    schema = schema_of(params.name)
    if schema is None:
        return True
    return validate_mcp_param_headers(schema, params.arguments or {}, headers) is None
