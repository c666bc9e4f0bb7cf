"""Single exchanges of 2026-07-28: one request that was read, one answer.

The SDK's server answers all else, and is what this is tested against: the same requests, good and
bad, get the same answers of both (`tests/integration/test_mcp_against_the_sdk.py`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp.server.context import ServerRequestContext
from mcp.server.request_state import RequestStateBoundary
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS
from mcp_types import (
    INTERNAL_ERROR,
    SERVER_INFO_META_KEY,
    CallToolResult,
    ErrorData,
    ListToolsResult,
    PaginatedRequestParams,
    Result,
    TextContent,
)
from mcp_types.methods import serialize_server_result
from msgspec import Struct

from ..catalogue import ToolOutcome
from ..control import describe
from ..kernels import Caller
from .authentication import CALLER
from .exchange import CallParams
from .handlers import LISTS, Handlers
from .inbound import Inbound
from .kept import Kept
from .patience import Patience, Send
from .presence import Watched
from .results import on_the_wire, success

logger = logging.getLogger(__name__)


class Singles:
    """Answers requests that `inbound` has read."""

    def __init__(
        self, handlers: Handlers, boundary: RequestStateBoundary, server_info: Mapping[str, Any]
    ) -> None:
        self._handlers = handlers
        self._boundary = boundary
        self._signature = {SERVER_INFO_META_KEY: server_info}
        self._lists: Kept[ListToolsResult, bytes] = Kept(LISTS)

    async def serve(self, inbound: Inbound, caller: Caller, presence: Watched, send: Send) -> None:
        """Answer `inbound`; the call is cancelled when the client goes (PS-06)."""
        with Patience(send, presence.whole) as patience:
            single = _Single(inbound, caller, presence, patience)
            await presence.watching(self._answer(inbound, single), patience.begin)

    async def _answer(self, inbound: Inbound, single: _Single) -> None:
        try:
            if inbound.method == "tools/list":
                await self._handlers.prepare(single.caller)
                result = self._list(inbound, single.caller)
            else:
                result = await self._call(inbound, single)
        except MCPError as error:
            await _refuse(inbound, error.error, single.patience)
        except Exception as error:
            logger.error("%s failed: %s", inbound.method, describe(error))
            internal = ErrorData(code=INTERNAL_ERROR, message="Internal server error")
            await _refuse(inbound, internal, single.patience)
        else:
            await single.patience.answer(200, _reply(inbound, "result", result))

    def _list(self, inbound: Inbound, caller: Caller) -> bytes:
        """Return the list in JSON, which is made once: there may be thousands of tools."""
        params = cast(PaginatedRequestParams, inbound.params)
        tools = self._handlers.list_tools(caller, params)
        return self._lists.of(tools, lambda: self._wire(inbound, tools))

    async def _call(self, inbound: Inbound, single: _Single) -> bytes:
        params: CallParams = inbound.params
        # Of a request without a state there is nothing to open, of bytes nothing to seal.
        done = await self._done(single, params) if params.request_state is None else None

        async def within(context: Any) -> Any:
            if done is not None:
                return done
            # The boundary has put the state that we sealed in the place of what came.
            state = {"request_state": context.params["requestState"]}
            return await self._done(single, inbound.params.model_copy(update=state))

        if isinstance(done, bytes):
            return done
        context = _Context(inbound.method, inbound.raw, _Request({CALLER: single.caller}))
        # Of the SDK's context, the boundary wants no more than there is in ours.
        sealed = await self._boundary(cast(ServerRequestContext[Any, Any], context), within)
        return sealed if isinstance(sealed, bytes) else self._wire(inbound, cast(Result, sealed))

    async def _done(self, single: _Single, params: CallParams) -> bytes | Result:
        return await self._handlers.call_tool(single, params, self._told)

    def _told(self, outcome: ToolOutcome) -> bytes | CallToolResult:
        return on_the_wire(outcome, self._signature) or success(outcome, wrap=False)

    def _wire(self, inbound: Inbound, result: Result) -> bytes:
        """Return a result as the revision has it, signed with who answers (PS-04)."""
        wire = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        if _is_plain(result):
            # An infinite number has become null just now, which is no structured content.
            wire = {name: value for name, value in wire.items() if value is not None}
        else:
            wire = serialize_server_result(inbound.method, inbound.version, wire)
        wire["_meta"] = {**wire.get("_meta", {}), **self._signature}
        return _json(wire)


@dataclass(frozen=True)
class _Context:
    """What `broker.mcp.state` and the SDK's boundary read of a request."""

    method: str
    params: Mapping[str, Any]
    request: _Request


@dataclass(frozen=True)
class _Request:
    """The HTTP request behind it."""

    scope: Mapping[str, Any]


class _Single(Struct, frozen=True):
    """The `Exchange` of one request and one answer: nothing can be asked of the client."""

    inbound: Inbound
    caller: Caller
    presence: Watched
    patience: Patience
    modern: bool = True
    can_push: bool = False

    @property
    def url(self) -> bool:
        return self.inbound.url

    @property
    def waits(self) -> float | None:
        return self.inbound.waits

    def check(self) -> None:
        self.presence.check()

    async def progress(self, told: float, total: float | None, message: str) -> None:
        token = self.inbound.progress_token
        if token is None:
            return
        params: dict[str, Any] = {"progressToken": token, "progress": told, "message": message}
        if total is not None:
            params["total"] = total
        note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        await self.patience.tell(_json(note))

    async def push(self, message: str, url: str, elicitation: str) -> str:
        raise NoBackChannelError("elicitation/create")

    async def pushed(self, elicitation: str) -> None:
        raise NoBackChannelError("notifications/elicitation/complete")


def _is_plain(result: Result) -> bool:
    """Tell whether it is text and data, which this revision has as the model has them.

    What other servers put into content may have members that are not the revision's.
    """
    return isinstance(result, CallToolResult) and all(
        type(block) is TextContent for block in result.content
    )


async def _refuse(inbound: Inbound, error: ErrorData, patience: Patience) -> None:
    body = _json(error.model_dump(by_alias=True, mode="json", exclude_none=True))
    status = ERROR_CODE_HTTP_STATUS.get(error.code, 200)
    await patience.answer(status, _reply(inbound, "error", body))


def _reply(inbound: Inbound, kind: str, value: bytes) -> bytes:
    identity = (
        b"%d" % inbound.id if isinstance(inbound.id, int) else json.dumps(inbound.id).encode()
    )
    return b'{"jsonrpc":"2.0","id":%b,"%b":%b}' % (identity, kind.encode(), value)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
