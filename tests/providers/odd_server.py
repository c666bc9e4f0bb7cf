"""A server that answers every request in the way a test sets: for faults that real ones hide."""

from __future__ import annotations

import asyncio

from aiohttp import web
from local_server import LocalServer


class OddServer(LocalServer):
    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: bytes = b""
        self.delay = 0.0
        self.paths: dict[str, bytes] = {}
        """JSON documents by path; any other path gets `body`."""
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    def routes(self, app: web.Application) -> None:
        app.router.add_route("*", "/{tail:.*}", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request.method, request.path_qs, dict(request.headers), body))
        if request.path in self.paths:
            return web.Response(body=self.paths[request.path], content_type="application/json")
        await asyncio.sleep(self.delay)
        return web.Response(status=self.status, headers=self.headers, body=self.body)
