"""One request of a client, in as much of MCP as a call and its questions need.

`elicit` knows this, and neither of the dispatchers that make one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ..kernels import Caller
from .authentication import CALLER
from .patience import declared
from .presence import PRESENCE, Presence


class CallParams(Protocol):
    """What a `tools/call` asks for; the SDK's model is one."""

    @property
    def name(self) -> str:
        """The tool's name."""

    @property
    def arguments(self) -> Mapping[str, Any] | None:
        """What it is called with."""

    @property
    def meta(self) -> Mapping[str, Any] | None:
        """Its `_meta`."""

    @property
    def request_state(self) -> str | None:
        """The state of a call that is taken up."""

    @property
    def input_responses(self) -> Mapping[str, Any] | None:
        """The answers to what was asked."""


class Exchange(Protocol):
    """What a call may do with the client that made it."""

    @property
    def caller(self) -> Caller:
        """Who calls, as the Jupyter server declared it."""

    @property
    def modern(self) -> bool:
        """Whether it speaks 2026-07-28, where a question is a result (ES-12)."""

    @property
    def url(self) -> bool:
        """Whether the client declared URL mode, in this request or its session (ES-03, PS-01)."""

    @property
    def can_push(self) -> bool:
        """Whether a request can be sent to the client while this one is answered (2025-11-25)."""

    @property
    def waits(self) -> float | None:
        """Seconds that the client says it waits for the answer; None when it does not say."""

    def check(self) -> None:
        """Raise `Gone` when the client has disconnected."""

    async def progress(self, told: float, total: float | None, message: str) -> None:
        """Tell a client that asked for it how far it is: `told` of `total` (None: unknown)."""

    async def push(self, message: str, url: str, elicitation: str) -> str:
        """Ask with `elicitation/create` and return the action. Raises `MCPError`."""

    async def pushed(self, elicitation: str) -> None:
        """Tell that what `push` asked for is done."""


def of_sdk(context: ServerRequestContext[Any, Any]) -> Exchange:
    """Return the request that the SDK's server handles."""
    return _OfSdk(context)


class _OfSdk:
    def __init__(self, context: ServerRequestContext[Any, Any]) -> None:
        scope = context.request.scope  # type: ignore[union-attr]
        self._context = context
        self._session = context.session
        self._presence: Presence = scope[PRESENCE]
        self.caller: Caller = scope[CALLER]
        self.modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        self.waits = declared(scope["headers"])

    @property
    def url(self) -> bool:
        capabilities = self._session.client_capabilities
        elicitation = capabilities.elicitation if capabilities else None
        return elicitation is not None and elicitation.url is not None

    @property
    def can_push(self) -> bool:
        return self._session.can_send_request

    def check(self) -> None:
        self._presence.check()

    async def progress(self, told: float, total: float | None, message: str) -> None:
        await self._session.report_progress(told, total, message)

    async def push(self, message: str, url: str, elicitation: str) -> str:
        answer = await self._session.elicit_url(
            message, url, elicitation, related_request_id=self._context.request_id
        )
        return answer.action

    async def pushed(self, elicitation: str) -> None:
        await self._session.send_elicit_complete(
            elicitation, related_request_id=self._context.request_id
        )
