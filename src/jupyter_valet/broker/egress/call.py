"""One authorized request: send, read within limits, look for the credential, hand the rest on."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from ..._version import __version__
from ...wire.errors import ValetError
from ..secret import Secret
from . import http1, inject
from .denied import Denied, denied
from .dial import Destination, Pools
from .http1 import Malformed, Reader, TooLarge
from .line import Lost
from .lines import Lines
from .origin import split_url
from .placement import BEARER, Placement
from .reflection import Reflection
from .request import Request
from .streaming import LIMITS, Limits, Streamed, Withheld, check_encoding

LIMIT = 1_000_000
"""Largest body, in bytes and after decompression, that a tool's answer may have."""

TIMEOUT = 30.0
"""Seconds for one request with its whole answer."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 3
_NEVER = denied(())
_FIXED = {"User-Agent": f"jupyter-valet/{__version__}", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Response:
    """An answer without the credential in it. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300


class Egress:
    """Sends requests with a credential; what a caller could choose is already in `Request`."""

    def __init__(
        self, *, limit: int = LIMIT, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None
    ) -> None:
        self._limit = limit
        self._timeout = timeout
        self._lines = Lines(tls)
        self._pools = Pools(tls)
        self._watches = inject.Watches()
        self._streamed = inject.Watches()

    async def send(
        self,
        request: Request,
        credential: Secret,
        *,
        principal: str,
        loopback: bool,
        provider: str,
        placement: Placement = BEARER,
        never: Denied = _NEVER,
    ) -> Response:
        """Make the request for `principal`, who shares no connection, and return the answer.

        A redirect of a GET is followed at most three times, and only to the same origin; any other
        is returned as it is (L7, R113). `provider` is the name in error texts, `placement` where
        the credential goes, `never` what is not called, not even by way of a redirect. Raises
        `Withheld` and `ValetError` (`provider_unreachable`, `response_too_large`,
        `address_refused`, `endpoint_denied`).
        """
        destination = Destination(principal, request.origin, loopback)
        reflection = self._watches.of(destination, credential, placement)
        for hop in range(_HOPS + 1):
            if never.covers(request.method, request.target):
                raise ValetError("endpoint_denied", provider=provider)
            url, headers = inject.into(request, placement, credential)
            response = await self._once(request, url, headers, destination, reflection, provider)
            onward = _same_origin_redirect(request, response) if hop < _HOPS else None
            if onward is None:
                break
            request = onward
        return response

    @asynccontextmanager
    async def stream(
        self,
        request: Request,
        credential: Secret,
        *,
        principal: str,
        loopback: bool,
        provider: str,
        placement: Placement = BEARER,
        never: Denied = _NEVER,
        upload: AsyncIterator[bytes] | None = None,
        limits: Limits = LIMITS,
    ) -> AsyncIterator[Streamed]:
        """Make the request as `send` does, and pass its answer on while it comes.

        `upload` is a body that is sent while it comes; it can be sent once. Raises as `send` does,
        and so does what is read of the answer.
        """
        destination = Destination(principal, request.origin, loopback)
        reflection = self._streamed.of(destination, credential, placement)
        for hop in range(_HOPS + 1):
            if never.covers(request.method, request.target):
                raise ValetError("endpoint_denied", provider=provider)
            url, headers = inject.into(request, placement, credential)
            with self._pools.streaming(destination):
                answer = await self._begin(
                    request, url, headers, destination, upload, limits, provider
                )
                try:
                    streamed = Streamed(
                        answer, reflection, limits, lambda e: _unreachable(e, provider), provider
                    )
                    onward = _same_origin_redirect(request, streamed) if hop < _HOPS else None
                    if onward is None:
                        yield streamed
                        return
                    request = onward
                finally:
                    answer.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._lines.close()
        await self._pools.close()

    async def _begin(
        self,
        request: Request,
        url: str,
        headers: dict[str, str],
        destination: Destination,
        upload: AsyncIterator[bytes] | None,
        limits: Limits,
        provider: str,
    ) -> aiohttp.ClientResponse:
        session = await self._pools.session(destination)
        self._streamed.keep(self._pools)
        try:
            return await session.request(
                request.method,
                URL(url, encoded=True),
                headers={**headers, **_FIXED},
                data=request.body if upload is None else upload,
                allow_redirects=False,
                timeout=limits.timeout,
            )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(error, provider) from None

    async def _once(
        self,
        request: Request,
        url: str,
        headers: dict[str, str],
        destination: Destination,
        reflection: Reflection,
        provider: str,
    ) -> Response:
        try:
            answer, body = await self._answer(request, url, headers, destination, provider)
        except TooLarge:
            limit = f"{self._limit:,} bytes"
            raise ValetError("response_too_large", provider=provider, limit=limit) from None
        except (Lost, Malformed, TimeoutError, OSError):
            raise ValetError("provider_unreachable", provider=provider) from None
        if reflection.found_in(body, answer.head):
            raise Withheld("response_withheld", provider=provider)
        return Response(answer.status, answer.headers, body)

    async def _answer(
        self,
        request: Request,
        url: str,
        headers: dict[str, str],
        destination: Destination,
        provider: str,
    ) -> tuple[Reader, bytes]:
        target = url[len(str(request.origin)) :]
        lines = {"Host": request.origin.authority, **headers, **_FIXED}
        sent = http1.request(request.method, target or "/", lines, request.body)
        answer = await self._lines.ask(
            destination, sent, request.method, self._limit, self._timeout
        )
        self._watches.keep(self._lines)
        check_encoding(answer.headers.get("content-encoding", ""), answer.status, provider)
        return answer, answer.body()


def _unreachable(error: Exception, provider: str) -> ValetError:
    """Return the fixed error; the library's text may quote what upstream sent (L19)."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ValetError):
        return cause
    return ValetError("provider_unreachable", provider=provider)


def _same_origin_redirect(request: Request, response: Response | Streamed) -> Request | None:
    """Return the next request when following is harmless: a GET that stays on its origin."""
    location = response.headers.get("location", "")
    if request.method != "GET" or response.status not in _REDIRECTS or not location:
        return None
    try:
        origin, target = split_url(urljoin(request.url, location))
    except ValueError:
        return None
    return replace(request, target=target or "/") if origin == request.origin else None
