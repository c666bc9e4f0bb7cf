"""HTTP to a server that may stop and come back: what fails becomes an answer, never a crash.

The client on the other side of the bridge speaks JSON-RPC only, so a refusal is told in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx2

from ..wire.errors import RemoteError, ValetError
from .servers import Entrance

_SERVER_ERROR = -32000
"""JSON-RPC 2.0 §5.1: implementation-defined."""


class Reaching(httpx2.AsyncBaseTransport):
    """Sends each request to where the server is now. `find` says where, and raises `ValetError`."""

    def __init__(self, find: Callable[[], Entrance], inner: httpx2.AsyncBaseTransport) -> None:
        self._find = find
        self._inner = inner
        self._entrance: Entrance | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer with what the server says, or with why it cannot be asked."""
        try:
            entrance = self._entrance = self._entrance or self._find()
            answer = await self._inner.handle_async_request(_to(entrance, request))
        except ValetError as error:
            return _told(503, error)
        except httpx2.TransportError:
            self._entrance = None  # it may be elsewhere when it is asked next
            return _told(503, ValetError("no_jupyter", wanted=""))
        if answer.status_code in (401, 403):
            refused = _refusal(await answer.aread())
            await answer.aclose()
            return _told(answer.status_code, refused)
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _to(entrance: Entrance, request: httpx2.Request) -> httpx2.Request:
    headers = request.headers.copy()
    headers["host"] = httpx2.URL(entrance.url).netloc.decode()
    headers["authorization"] = f"Bearer {entrance.token}"
    return httpx2.Request(
        request.method,
        entrance.url,
        headers=headers,
        stream=request.stream,
        extensions=request.extensions,
    )


def _refusal(body: bytes) -> ValetError:
    try:
        return RemoteError(json.loads(body))
    except (ValueError, RecursionError):
        return ValetError("token_refused")


def _told(status: int, error: ValetError) -> httpx2.Response:
    told = {"code": _SERVER_ERROR, "message": str(error), "data": {"code": error.code}}
    return httpx2.Response(status, json={"jsonrpc": "2.0", "id": None, "error": told})
