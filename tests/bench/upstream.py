"""An API in a process of its own: one kilobyte, ten megabytes, and a place to send them to."""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web

SMALL = json.dumps({"number": 41, "title": "Tides", "body": "x" * 960}).encode()
ROW = {"id": 1, "name": "a mooring in the bay", "depth": 12.5, "note": "nothing to report here"}
LARGE = json.dumps([ROW] * 200_000).encode()[:10_000_000]
MOST = 20_000_000


def _allowed(request: web.Request) -> bool:
    return request.headers.get("Authorization") == f"Bearer {sys.argv[1]}"


async def _small(request: web.Request) -> web.Response:
    return web.Response(
        status=200 if _allowed(request) else 401, body=SMALL, content_type="application/json"
    )


async def _large(request: web.Request) -> web.Response:
    return web.Response(
        status=200 if _allowed(request) else 401, body=LARGE, content_type="application/json"
    )


async def _take(request: web.Request) -> web.Response:
    size = sum([len(piece) async for piece in request.content.iter_any()])
    return web.json_response({"bytes": size}, status=200 if _allowed(request) else 401)


async def _serve() -> None:
    app = web.Application(client_max_size=MOST)
    app.router.add_get("/small", _small)
    app.router.add_get("/large", _large)
    app.router.add_route("*", "/take", _take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
