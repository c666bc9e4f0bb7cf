"""The demo provider as one web application, and its life on a loopback port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from . import metadata
from .api import Api, problem
from .authorize import AuthorizationEndpoint
from .grants import Grants
from .id_token import Signer
from .pages import page, stylesheet
from .tokens import TokenEndpoint
from .tracker import Tracker

HOST = "127.0.0.1"

USUAL_PORT = 8917
"""Taken when it is free, so that the issuer, and with it a connection, outlives a restart."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Demo:
    """A running demo provider; tests reach its grants and its tracker through it."""

    issuer: str
    grants: Grants
    tracker: Tracker


def application(demo: Demo) -> web.Application:
    """Return the application that serves `demo`, under whatever issuer it has by then."""
    signer = Signer()

    def issuer() -> str:
        return demo.issuer

    @web.middleware
    async def only_this_host(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse names that merely resolve to loopback (DNS rebinding)."""
        port = demo.issuer.rpartition(":")[2]
        if request.host not in (f"{HOST}:{port}", f"localhost:{port}"):
            return problem(421, "This host is not served here.")
        return await handler(request)

    async def document(_: web.Request) -> web.Response:
        return web.json_response(metadata.document(demo.issuer))

    async def jwks(_: web.Request) -> web.Response:
        return web.json_response(signer.jwks())

    async def style(_: web.Request) -> web.Response:
        return stylesheet()

    async def welcome(_: web.Request) -> web.Response:
        return page("welcome")

    app = web.Application(middlewares=[only_this_host], client_max_size=256 * 1024)
    app.add_routes(
        [
            web.get("/", welcome),
            web.get("/style.css", style),
            web.get("/.well-known/oauth-authorization-server", document),
            web.get("/.well-known/openid-configuration", document),
            web.get(metadata.JWKS, jwks),
            *AuthorizationEndpoint(issuer, demo.grants, demo.tracker.people).routes(),
            *TokenEndpoint(issuer, demo.grants, signer).routes(),
            *Api(demo.grants, demo.tracker).routes(),
        ]
    )
    return app


@asynccontextmanager
async def serve(port: int | None = 0, *, access_seconds: float = 300) -> AsyncIterator[Demo]:
    """Run the demo provider on loopback; port 0 means any free one, None the usual or any.

    Raises `OSError` when the port is taken.
    """
    demo = Demo("", Grants(access_seconds=access_seconds), Tracker.shipped())
    runner = web.AppRunner(application(demo), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await _listen(runner, port)
        demo.issuer = f"http://{HOST}:{runner.addresses[0][1]}"
        yield demo
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, port: int | None) -> None:
    if port is None:
        with suppress(OSError):
            await web.TCPSite(runner, HOST, USUAL_PORT).start()
            return
    await web.TCPSite(runner, HOST, port or 0).start()
