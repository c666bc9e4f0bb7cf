"""HTTP to an upstream server: below the SDK's client, above the vetted egress.

The SDK speaks the protocol and never holds a credential: it is added here, to a request rebuilt
from parsed parts, for the server's own origin and no other; what comes back is looked through for
it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx2
from yarl import URL

from ..._version import __version__
from ...wire.errors import ValetError
from ..connections import NeedsLogin
from ..egress import Request, Withheld, inject
from ..egress.dial import Destination, Pools
from ..egress.origin import split_url
from ..egress.placement import BEARER, Placement
from ..egress.reflection import Reflection
from ..oauth.rfc9728 import challenge
from ..secret import Secret
from .reflecting import Reflected, Sieve, TooLarge
from .settings import Server
from .troubles import Refused, SessionLost, Troubles

LARGEST_ANSWER = 4_000_000
"""Bytes of one JSON answer, or of one event of a stream."""

LARGEST_STREAM = 16_000_000
"""Bytes of a stream that answers one request."""

CONNECT_SECONDS = 20.0
SILENCE_SECONDS = 300.0
"""How long a server may say nothing, not even a ping, while it works on a request."""

_SENT = frozenset({"accept", "content-type", "cache-control", "last-event-id", "mcp-session-id",
                   "mcp-protocol-version", "mcp-method", "mcp-name"})  # fmt: skip
_SENT_PREFIX = "mcp-param-"
_KEPT = frozenset({"content-type", "mcp-session-id", "location"})
_ENCODINGS = frozenset({"", "identity"})
_STREAM = "text/event-stream"

Credential = Callable[[Secret | None], Awaitable[Secret]]
"""Returns a good credential that is not the one just refused. Raises what ends the call."""


@dataclass(frozen=True)
class Way:
    """How requests of one caller get to one server."""

    server: Server
    principal: str
    """Who shares connections with nobody else (R129)."""
    credential: Credential | None = None
    placement: Placement = BEARER


class UpstreamTransport(httpx2.AsyncBaseTransport):
    """What the SDK's client sends through. It never raises: see `troubles`."""

    def __init__(self, way: Way, pools: Pools, watches: inject.Watches, troubles: Troubles) -> None:
        self._way = way
        self._pools = pools
        self._watches = watches
        self._troubles = troubles
        self._destination = Destination(way.principal, way.server.origin, way.server.loopback)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request` with the credential; trouble becomes an answer that stands for it."""
        body = await request.aread()
        message = _Message.of(body)
        try:
            return await self._answer(request, body, message)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return self._trouble(message, self.unreachable(error), request)
        except Exception as trouble:  # whoever made the call raises it again
            return self._trouble(message, trouble, request)

    async def _answer(
        self, request: httpx2.Request, body: bytes, message: _Message
    ) -> httpx2.Response:
        outgoing = self._outgoing(request, body)
        answer = await self._send(outgoing, message)
        if answer.rejected is not None:
            # Refused for want of a good credential, so not processed (RFC 9110 §15.5.2, L17).
            try:
                answer = await self._send(outgoing, message, rejected=answer.rejected)
            except NeedsLogin as needs:
                # What the server said goes up with it: it may name another issuer by now (CL-08).
                assert answer.refused is not None
                raise Refused(401, answer.refused.challenge, needs.reason) from None
        if answer.refused is not None:
            raise answer.refused
        assert answer.response is not None
        answer.response.request = request
        return answer.response

    def _outgoing(self, request: httpx2.Request, body: bytes) -> Request:
        """Rebuild the request; raises `ValueError` for another origin, however it came about."""
        origin, target = split_url(str(request.url))
        if origin != self._way.server.origin:
            raise ValueError("not the server's origin")
        headers = {n: v for n, v in request.headers.items() if _is_sent(n.lower())}
        return Request(request.method, origin, target or "/", headers, body or None)

    async def _send(
        self, outgoing: Request, message: _Message, rejected: Secret | None = None
    ) -> _Answer:
        way, credential, reflection = self._way, None, None
        target, headers = outgoing.target, dict(outgoing.headers)
        if way.credential is not None:
            credential = await way.credential(rejected)
            reflection = self._watches.of(self._destination, credential, way.placement)
            target, headers = inject.into(outgoing, way.placement, credential)
        session = await self._pools.session(self._destination)
        self._watches.keep(self._pools)
        answer = await session.request(
            outgoing.method,
            URL(outgoing.origin.url(target), encoded=True),
            headers={**headers, **_FIXED},
            data=outgoing.body,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=_silence(outgoing)
            ),
        )
        try:
            return await self._read(
                answer, message, reflection, credential, outgoing.headers, again=rejected is None
            )
        except BaseException:
            answer.close()
            raise

    async def _read(
        self,
        answer: aiohttp.ClientResponse,
        message: _Message,
        reflection: Reflection | None,
        credential: Secret | None,
        sent: Mapping[str, str],
        *,
        again: bool,
    ) -> _Answer:
        if reflection is not None and reflection.found_in(_head(answer)):
            raise Withheld("response_withheld", provider=self._way.server.words)
        status = answer.status
        if status == 404 and "mcp-session-id" in {name.lower() for name in sent}:
            raise SessionLost  # 2025-11-25: a session that the server has forgotten
        if status in (401, 403):
            answer.close()
            said = challenge(", ".join(answer.headers.getall("WWW-Authenticate", [])))
            refused = Refused(status, said)
            # Only what somebody waits for is worth a new token: not the end of a session.
            retry = credential if status == 401 and again and message.id is not None else None
            return _Answer(refused=refused, rejected=retry)
        if status >= 500 or status == 429:
            raise ValetError("upstream_error", provider=self._way.server.words, status=status)
        if answer.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
            raise ValetError("upstream_error", provider=self._way.server.words, status=status)
        headers = {n.lower(): v for n, v in answer.headers.items() if n.lower() in _KEPT}
        if answer.content_type == _STREAM and status == 200:
            stream = _Stream(self, answer, message, reflection)
            return _Answer(httpx2.Response(status, headers=headers, stream=stream))
        content = await self._whole(answer, reflection)
        return _Answer(httpx2.Response(status, headers=headers, content=content))

    async def _whole(self, answer: aiohttp.ClientResponse, reflection: Reflection | None) -> bytes:
        sieve = Sieve(reflection, event=LARGEST_ANSWER, total=LARGEST_ANSWER)
        body = bytearray()
        try:
            async for part in answer.content.iter_any():
                body += sieve.feed(part)
            body += sieve.end()
        except (Reflected, TooLarge) as fault:
            raise self.fault(fault) from None
        return bytes(body)

    def fault(self, error: Reflected | TooLarge) -> ValetError:
        """Return what is told about an answer that is not handed on."""
        if isinstance(error, Reflected):
            return Withheld("response_withheld", provider=self._way.server.words)
        limit = f"{LARGEST_ANSWER:,} bytes"
        return ValetError("response_too_large", provider=self._way.server.words, limit=limit)

    def stands_for(self, message: _Message, trouble: Exception) -> bytes:
        """Return the JSON-RPC answer to `message` that stands for `trouble`."""
        error = self._troubles.data(trouble)
        return json.dumps({"jsonrpc": "2.0", "id": message.id, "error": error}).encode()

    def _trouble(
        self, message: _Message, trouble: Exception, request: httpx2.Request
    ) -> httpx2.Response:
        if message.id is None:  # nobody waits for an answer: what fails next will say so
            return httpx2.Response(202 if request.method == "POST" else 405, request=request)
        return httpx2.Response(
            200,
            headers={"content-type": "application/json"},
            content=self.stands_for(message, trouble),
            request=request,
        )

    def unreachable(self, error: Exception) -> ValetError:
        """Return the fixed error; the library's text may quote what upstream sent (L19)."""
        cause = error.__cause__ or error.__context__
        if isinstance(cause, ValetError):
            return cause
        return ValetError("provider_unreachable", provider=self._way.server.words)


@dataclass(frozen=True)
class _Answer:
    """An answer that may be handed on, or a refusal; `rejected` is worth another try."""

    response: httpx2.Response | None = None
    refused: Refused | None = None
    rejected: Secret | None = None


@dataclass(frozen=True)
class _Message:
    """The JSON-RPC message in a request, as far as an answer needs it."""

    id: Any = None

    @classmethod
    def of(cls, body: bytes) -> _Message:
        try:
            message = json.loads(body)
        except ValueError:
            return cls()
        asks = isinstance(message, dict) and "method" in message
        return cls(message.get("id") if asks else None)


class _Stream(httpx2.AsyncByteStream):
    """The events of an answer, sieved."""

    def __init__(
        self,
        transport: UpstreamTransport,
        answer: aiohttp.ClientResponse,
        message: _Message,
        reflection: Reflection | None,
    ) -> None:
        self._transport = transport
        self._answer = answer
        self._message = message
        # A stream that answers nothing (GET) may last as long as the session.
        total = None if message.id is None else LARGEST_STREAM
        self._sieve = Sieve(reflection, event=LARGEST_ANSWER, total=total)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._answer.content.iter_any():
                if released := self._sieve.feed(part):
                    yield released
            yield self._sieve.end()
        except (Reflected, TooLarge) as fault:
            yield self._last(self._transport.fault(fault))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            yield self._last(self._transport.unreachable(error))

    def _last(self, trouble: ValetError) -> bytes:
        """Return an event that answers the request, since nothing else will."""
        self._answer.close()
        if self._message.id is None:
            return b""
        answer = self._transport.stands_for(self._message, trouble)
        return b"\n\nevent: message\ndata: " + answer + b"\n\n"

    async def aclose(self) -> None:
        """Close the connection: a stream that is left early is not read to its end."""
        self._answer.close()


_FIXED: Mapping[str, str] = {
    "User-Agent": f"jupyter-valet/{__version__}",
    "Accept-Encoding": "identity",
}


def _is_sent(name: str) -> bool:
    return name in _SENT or name.startswith(_SENT_PREFIX)


def _silence(outgoing: Request) -> float | None:
    """A stream that the server may use when it likes (GET) may be silent."""
    return None if outgoing.method == "GET" else SILENCE_SECONDS


def _head(answer: aiohttp.ClientResponse) -> bytes:
    lines = [name + b": " + value for name, value in answer.raw_headers]
    return b"\n".join([(answer.reason or "").encode("utf-8", "replace"), *lines])
