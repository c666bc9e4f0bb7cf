"""An HTTP client that can only reach vetted addresses, for small documents of a provider.

It is for OAuth and metadata: one deadline and one size for the whole answer, no redirects, no
cookies, no proxies of the environment, and no connection kept for a second request.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterable

import anyio
import httpcore2
import httpx2

from ...wire.errors import ValetError
from .origin import Origin, resolve

_ATTEMPT_SECONDS = 4.0
"""How long one address of several may take to accept, before the next is tried."""

_DROPPED = frozenset({b"set-cookie", b"content-encoding", b"transfer-encoding", b"content-length"})


def vetted_client(
    *,
    loopback: bool,
    timeout: float = 20,
    limit: int = 1_000_000,
    tls: ssl.SSLContext | None = None,
) -> httpx2.AsyncClient:
    """Return a client that dials only what `resolve` permits.

    `timeout` (seconds) is for the whole request with its answer, `limit` (bytes) for the answer's
    body, `tls` replaces the system's trust. Requests raise `httpx2.TransportError` when the network
    fails, `httpx2.DecodingError` for a compressed answer, `AddressRefused`, and
    `ValetError("response_too_large")`.
    """
    _silence()
    return httpx2.AsyncClient(
        transport=VettedTransport(loopback=loopback, timeout=timeout, limit=limit, tls=tls),
        headers={"Accept-Encoding": "identity", "User-Agent": "jupyter-valet"},
        follow_redirects=False,
        trust_env=False,
        timeout=timeout,
    )


def _silence() -> None:
    """Keep URLs (httpx2 logs them at INFO) and headers (httpcore2, at DEBUG) out of the log."""
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


class VettedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that were vetted, never to a name that would be looked up again."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve `host` once and connect to the first address that answers."""
        # The scheme is the pool's affair; an address is vetted in the same way for both.
        addresses = await resolve(Origin("https", host, port), loopback=self._loopback)
        for address in addresses[:-1]:
            try:
                patience = min(timeout or _ATTEMPT_SECONDS, _ATTEMPT_SECONDS)
                return await self._inner.connect_tcp(address, port, patience)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: no provider lives on a local socket."""
        raise httpcore2.ConnectError("no local sockets")

    async def sleep(self, seconds: float) -> None:
        """Wait between the pool's attempts."""
        await anyio.sleep(seconds)


class VettedTransport(httpx2.AsyncBaseTransport):
    """Sends one request on one new connection and reads the whole answer, within the limits."""

    def __init__(
        self, *, loopback: bool, timeout: float, limit: int, tls: ssl.SSLContext | None
    ) -> None:
        self._loopback = loopback
        self._timeout = timeout
        self._limit = limit
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or httpx2.create_ssl_context(trust_env=False),
            max_keepalive_connections=0,
            network_backend=VettedBackend(loopback=loopback),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`; its URL must be an origin of the strict form (and https, or loopback)."""
        origin = _origin_of(request.url)
        if origin.scheme == "http" and not self._loopback:
            raise httpx2.UnsupportedProtocol("plain http is for loopback profiles only")
        try:
            with anyio.fail_after(self._timeout):
                return await self._exchange(request, origin)
        except (TimeoutError, httpcore2.TimeoutException):
            raise httpx2.ReadTimeout("the provider is too slow", request=request) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError):
            raise httpx2.NetworkError("the connection failed", request=request) from None

    async def _exchange(self, request: httpx2.Request, origin: Origin) -> httpx2.Response:
        response = await self._pool.handle_async_request(_outgoing(request))
        try:
            body = await self._body(response, origin)
        finally:
            await response.aclose()
        headers = [
            (name, value) for name, value in response.headers if name.lower() not in _DROPPED
        ]
        return httpx2.Response(response.status, headers=headers, content=body, request=request)

    async def _body(self, response: httpcore2.Response, origin: Origin) -> bytes:
        """Read the body; a compressed one is refused, since 1 MB of it may hold gigabytes."""
        encodings = {v.lower() for n, v in response.headers if n.lower() == b"content-encoding"}
        if encodings - {b"identity", b""}:
            raise httpx2.DecodingError("an encoding that was not asked for")
        body = bytearray()
        async for part in response.aiter_stream():
            body += part
            if len(body) > self._limit:
                raise ValetError(
                    "response_too_large", provider=origin.host, limit=f"{self._limit:,} bytes"
                )
        return bytes(body)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._pool.aclose()


def _origin_of(url: httpx2.URL) -> Origin:
    port = "" if url.port is None else f":{url.port}"
    try:
        return Origin.parse(f"{url.scheme}://{url.host}{port}")
    except ValueError:
        raise httpx2.UnsupportedProtocol("not an origin of the strict form") from None


def _outgoing(request: httpx2.Request) -> httpcore2.Request:
    url = request.url
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )
