"""A relay on this machine that adds a capability: the official suite cannot send one.

What the client says of `Host` and `Origin` is passed on, its own address replaced by the server's,
so that what is refused is refused by the server. Both ways stream, and who leaves is followed.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

_HOPS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"}
)


class Relay:
    """Passes requests on to the server at `origin` with `token`."""

    def __init__(self, origin: str, token: str, http: aiohttp.ClientSession) -> None:
        self._origin = origin
        self._token = token
        self._http = http
        self.own = ""
        """Its own origin, once it listens."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        async with self._http.request(
            request.method,
            self._origin + request.path_qs,
            headers=self._headers(request),
            data=await request.read() or None,
            allow_redirects=False,
        ) as answer:
            kept = [(n, v) for n, v in answer.headers.items() if n.lower() not in _HOPS]
            response = web.StreamResponse(status=answer.status)
            for name, value in kept:
                response.headers.add(name, value)
            with contextlib.suppress(ConnectionResetError):  # whoever asked has gone
                await response.prepare(request)
                async for part in answer.content.iter_any():
                    await response.write(part)
                await response.write_eof()
            return response

    def _headers(self, request: web.Request) -> list[tuple[str, str]]:
        headers = []
        for raw_name, raw in request.raw_headers:
            name, value = raw_name.decode("latin-1"), raw.decode("latin-1")
            if name.lower() in _HOPS:
                continue
            if name.lower() == "host":
                value = self._there(f"http://{value}").removeprefix("http://")
            elif name.lower() == "origin":
                value = self._there(value)
            headers.append((name, value))
        return [*headers, ("Authorization", f"Bearer {self._token}")]

    def _there(self, origin: str) -> str:
        return self._origin if origin == self.own else origin


@contextlib.asynccontextmanager
async def relaying(origin: str, token: str) -> AsyncIterator[str]:
    """Run a relay to `origin`; yield its own origin."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        timeout=timeout, auto_decompress=False, skip_auto_headers=("User-Agent", "Accept-Encoding")
    ) as http:
        relay = Relay(origin, token, http)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", relay.serve)
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            relay.own = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield relay.own
        finally:
            await runner.cleanup()
