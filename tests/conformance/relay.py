"""A relay on this machine that adds a token: the official suite cannot send one.

What the client says of `Host` and `Origin` is passed on, the relay's own address replaced by the
server's unless that takes it as it is: what is refused is refused by the server. Both ways stream,
and who leaves is followed.
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
    """Passes requests on to the server at `origin` with `token`, once it is told of them."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.own = ""
        """Its own origin, once it listens."""
        self.origin = ""
        self.token = ""
        self.as_it_is = False
        """Whether the server may hear of the relay's own address."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        async with self._http.request(
            request.method,
            self.origin + request.path_qs,
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
        return [*headers, ("Authorization", f"Bearer {self.token}")]

    def _there(self, origin: str) -> str:
        return self.origin if origin == self.own and not self.as_it_is else origin


@contextlib.asynccontextmanager
async def relaying() -> AsyncIterator[Relay]:
    """Run a relay."""
    timeout = aiohttp.ClientTimeout(total=None)
    # Shorter than the server's: none is used in the moment in which that closes it.
    connector = aiohttp.TCPConnector(keepalive_timeout=2)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
    ) as http:
        relay = Relay(http)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", relay.serve)
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            relay.own = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield relay
        finally:
            await runner.cleanup()
