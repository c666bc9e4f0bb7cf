"""The demo provider as one web application, its two neighbours, and their life on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from . import documents, metadata, tides
from .answers import HOST, only_this_host
from .api import Api
from .authorize import AuthorizationEndpoint
from .grants import Grants
from .id_token import Signer
from .pages import page, stylesheet
from .tokens import TokenEndpoint
from .tracker import Tracker
from .weather import Weather

USUAL_PORT = 8917
"""Taken when it is free, so that the issuer, and with it a connection, outlives a restart."""


@dataclass
class Demo:
    """A running demo provider; tests reach its grants and its tracker through it."""

    issuer: str
    grants: Grants
    tracker: Tracker
    weather: Weather
    weather_url: str = ""
    tides_url: str = ""


def application(demo: Demo) -> web.Application:
    """Return the application that serves `demo`, under whatever issuer it has by then."""
    signer = Signer()

    def issuer() -> str:
        return demo.issuer

    async def document(_: web.Request) -> web.Response:
        return web.json_response(metadata.document(demo.issuer))

    async def jwks(_: web.Request) -> web.Response:
        return web.json_response(signer.jwks())

    async def style(_: web.Request) -> web.Response:
        return stylesheet()

    async def welcome(_: web.Request) -> web.Response:
        return page("welcome")

    async def tracker_document(_: web.Request) -> web.Response:
        return web.json_response(documents.tracker(demo.issuer))

    async def weather_document(_: web.Request) -> web.Response:
        return web.json_response(documents.weather(demo.weather_url))

    async def tides_document(_: web.Request) -> web.Response:
        return web.json_response(documents.tides(demo.tides_url))

    async def weather_key(_: web.Request) -> web.Response:
        return page("weather", key=demo.weather.key)

    app = web.Application(middlewares=[only_this_host], client_max_size=256 * 1024)
    app.add_routes(
        [
            web.get("/", welcome),
            web.get("/style.css", style),
            web.get("/openapi.json", tracker_document),
            web.get("/weather", weather_key),
            web.get("/weather/openapi.json", weather_document),
            web.get("/tides/openapi.json", tides_document),
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

    The other two APIs get the ports behind the usual one, or any. Raises `OSError` when the port
    is taken.
    """
    demo = Demo("", Grants(access_seconds=access_seconds), Tracker.shipped(), Weather())
    async with AsyncExitStack() as running:

        async def start(app: web.Application, wanted: int | None, usual: int) -> str:
            return await running.enter_async_context(_running(app, wanted, usual))

        demo.issuer = await start(application(demo), port, USUAL_PORT)
        neighbours = 0 if port == 0 else None
        demo.weather_url = await start(demo.weather.application(), neighbours, USUAL_PORT + 1)
        demo.tides_url = await start(tides.application(), neighbours, USUAL_PORT + 2)
        yield demo


@asynccontextmanager
async def _running(app: web.Application, port: int | None, usual: int) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await _listen(runner, port, usual)
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, port: int | None, usual: int) -> None:
    if port is None:
        with suppress(OSError):
            await web.TCPSite(runner, HOST, usual).start()
            return
    await web.TCPSite(runner, HOST, port or 0).start()
