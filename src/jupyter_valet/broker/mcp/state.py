"""`requestState`: what a client carries from one leg of a call to the next (2026-07-28, MRTR).

The SDK seals it and binds it to the caller, the tool and the arguments (MS-04, MS-05). Two things
are ours: a key that outlives the process, so that a sign-in goes on after a restart, and single
use (MS-06).
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.request_state import (
    AESGCMRequestStateCodec,
    RequestStateBoundary,
    RequestStateSecurity,
)
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from ..kernels import Caller
from ..reveal import reveal_bytes
from ..vault import Vault
from .authentication import CALLER

LIFE = 600.0
"""Seconds for which a state is good."""

_AUDIENCE = "jupyter-valet"
_SKEW = 60.0


@dataclass(frozen=True)
class CallState:
    """One call that waits for a person.

    `call` names the call through all of its legs: it is redeemed once, right before the upstream
    request, so a state that is replayed makes nothing happen a second time, while a leg that the
    network swallowed can be sent again. `asked` holds the scopes that the person has been asked
    for, by provider, so that nobody is asked the same thing twice in one call.
    """

    transaction: str
    asked: dict[str, list[str]]
    accepted: bool = False
    call: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @classmethod
    def parse(cls, text: str) -> CallState:
        """Read a state that the boundary has verified. Raises `MCPError` (-32602)."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            raise refused() from None

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    def once_accepted(self) -> CallState:
        """Return the state of a call whose person said that they are on their way."""
        return replace(self, accepted=True)


def redeem(vault: Vault, state: CallState, expires_at: float) -> None:
    """Spend the call's one effect. Raises `MCPError` (-32602) when it is already spent.

    `expires_at` is the transaction's; a state minted at its last moment lives `LIFE` longer.
    """
    if not vault.redeem(f"call:{state.call}", expires_at + LIFE + _SKEW):
        raise refused()


def refused() -> MCPError:
    """Return the error of a bad state: the same words as the SDK's, whatever was wrong."""
    return MCPError(
        code=INVALID_PARAMS,
        message="Invalid or expired requestState",
        data={"reason": "invalid_request_state"},
    )


def boundary(vault: Vault) -> RequestStateBoundary:
    """Return the middleware that seals and verifies `requestState`."""
    security = RequestStateSecurity(codec=_Codec(vault), ttl=LIFE, bind_principal=_principal)
    return RequestStateBoundary(security, default_audience=_AUDIENCE)


def _principal(context: ServerRequestContext[Any, Any]) -> str:
    """Bind a state to the person and the kernel, as the Jupyter server declared them (ES-24)."""
    caller: Caller = context.request.scope[CALLER]  # type: ignore[union-attr]
    return json.dumps([caller.principal, caller.kernel_id])


class _Codec:
    """AES-256-GCM under a key of the vault, fetched when it is first needed."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._codec: AESGCMRequestStateCodec | None = None

    def seal(self, payload: bytes) -> str:
        return self._ready().seal(payload)

    def unseal(self, token: str) -> bytes:
        return self._ready().unseal(token)

    def _ready(self) -> AESGCMRequestStateCodec:
        if self._codec is None:
            key = reveal_bytes(self._vault.key("requestState"))
            self._codec = AESGCMRequestStateCodec([key])
        return self._codec
