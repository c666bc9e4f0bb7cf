"""One authorized request: send, read within limits, look for the credential, hand the rest on."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import aiohttp
from msgspec import Struct
from msgspec.structs import replace
from yarl import URL

from ..._version import __version__
from ...wire.errors import ValetError
from ..secret import Secret
from . import http1, inject
from .dial import Destination, Pools
from .http1 import Malformed, Reader, TooLarge
from .line import NO_NOTE, Lost, Note
from .lines import Lines
from .origin import split_url
from .reflection import Reflection
from .request import Request
from .streaming import LIMITS, Limits, Streamed, Withheld, check_encoding
from .terms import Terms

LIMIT = 1_000_000
"""Largest body, in bytes and after decompression, that a tool's answer may have."""

TIMEOUT = 30.0
"""Seconds for one request with its whole answer."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOPS = 3
_FIXED = {"User-Agent": f"jupyter-valet/{__version__}", "Accept-Encoding": "identity"}


class Response(Struct, frozen=True):
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
        terms: Terms,
        *,
        note: Note = NO_NOTE,
    ) -> Response:
        """Make the request, and return the answer.

        A redirect of a GET is followed at most three times, only to the same origin, and only where
        `terms.onward` lets it; any other is returned as it is (L7, R113). `note` is told each time
        that the credential is sent, before anything of the answer is read. Raises `Withheld`,
        `ValetError` (`provider_unreachable`, `response_too_large`, `address_refused`,
        `endpoint_denied`), and what `note` raises.
        """
        destination = Destination(terms.principal, request.origin, terms.loopback)
        reflection = self._watches.of(destination, credential, terms.placement)
        for hop in range(_HOPS + 1):
            terms.check(request)
            target, headers = inject.into(request, terms.placement, credential)
            response = await self._once(
                request, target, headers, destination, reflection, terms.provider, note
            )
            there = _same_origin_redirect(request, response) if hop < _HOPS else None
            if there is None or not terms.onward(there):
                break
            request = there
        return response

    @asynccontextmanager
    async def stream(
        self,
        request: Request,
        credential: Secret,
        terms: Terms,
        *,
        note: Note = NO_NOTE,
        upload: AsyncIterator[bytes] | None = None,
        limits: Limits = LIMITS,
    ) -> AsyncIterator[Streamed]:
        """Make the request as `send` does, and pass its answer on while it comes.

        `upload` is a body that is sent while it comes; it can be sent once. Raises as `send` does,
        and so does what is read of the answer.
        """
        destination = Destination(terms.principal, request.origin, terms.loopback)
        reflection = self._streamed.of(destination, credential, terms.placement)
        provider = terms.provider
        for hop in range(_HOPS + 1):
            terms.check(request)
            target, headers = inject.into(request, terms.placement, credential)
            note.before()
            with self._pools.streaming(destination):
                answer = await self._begin(
                    request, target, headers, destination, upload, limits, provider
                )
                try:
                    note.after()
                    streamed = Streamed(
                        answer, reflection, limits, lambda e: _unreachable(e, provider), provider
                    )
                    there = _same_origin_redirect(request, streamed) if hop < _HOPS else None
                    if there is None or not terms.onward(there):
                        yield streamed
                        return
                    request = there
                finally:
                    answer.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._lines.close()
        await self._pools.close()

    async def _begin(
        self,
        request: Request,
        target: str,
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
                URL(request.origin.url(target), encoded=True),
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
        target: str,
        headers: dict[str, str],
        destination: Destination,
        reflection: Reflection,
        provider: str,
        note: Note,
    ) -> Response:
        try:
            answer, body = await self._answer(request, target, headers, destination, provider, note)
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
        target: str,
        headers: dict[str, str],
        destination: Destination,
        provider: str,
        note: Note,
    ) -> tuple[Reader, bytes]:
        lines = {"Host": request.origin.authority, **headers, **_FIXED}
        whole = http1.request(request.method, target or "/", lines, request.body)
        answer = await self._lines.ask(
            destination, whole, request.method, self._limit, self._timeout, note
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
