"""The answer to a client that may not come in, or may not do this (RFC 6750 §3, RFC 9728 §5.1)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Self

from ..wire.errors import ValetError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Refusal:
    """A status, and how to do better."""

    status: int
    challenge: str = ""
    code: str = "capability_refused"

    @classmethod
    def of_stranger(cls, metadata: str, scope: str) -> Self:
        """Refuse who showed nothing: no error code, but where to ask for what (RS-02, RS-03)."""
        return cls(401, _bearer(scope=scope, resource_metadata=metadata), "token_required")

    @classmethod
    def of_bad_token(cls, metadata: str, scope: str) -> Self:
        """Refuse a token; why is nobody's business (RS-04)."""
        challenge = _bearer(error="invalid_token", scope=scope, resource_metadata=metadata)
        return cls(401, challenge, "token_refused")

    @classmethod
    def of_scope(cls, metadata: str, scope: str) -> Self:
        """Refuse a token that does not reach far enough, and say what would (RS-08, RS-09)."""
        challenge = _bearer(error="insufficient_scope", scope=scope, resource_metadata=metadata)
        return cls(403, challenge, "scope_required")

    @classmethod
    def of_outage(cls) -> Self:
        """Refuse for now: a client must not throw a token away that may be good."""
        return cls(503, code="issuer_unreachable")

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Response headers, with the challenge."""
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        if self.challenge:
            headers.append((b"www-authenticate", self.challenge.encode()))
        if self.status == 503:
            headers.append((b"retry-after", b"5"))
        return headers

    @property
    def body(self) -> bytes:
        """The error as JSON, the same for all."""
        return json.dumps(ValetError(self.code).to_json()).encode()


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answer with it."""
    body = refusal.body
    headers = [*refusal.headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _bearer(**parameters: str) -> str:
    """Return a challenge. Its values are ours: scopes and URLs, in which no quote can be."""
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())
