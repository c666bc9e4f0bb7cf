"""Tide tables that everybody may read: the third of the demo's APIs."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from .answers import number, only_this_host, problem

PORTS = {"esbjerg": 1.5, "cuxhaven": 3.1, "harlingen": 1.9}
"""Each with its usual range in metres."""

_HALF_TIDE = timedelta(hours=6, minutes=12)


def application() -> web.Application:
    """Return the API as an application of its own."""
    app = web.Application(middlewares=[only_this_host])
    app.add_routes([web.get("/v1/ports", ports), web.get("/v1/ports/{port}/tides", tides)])
    return app


async def ports(request: web.Request) -> web.Response:
    """GET /v1/ports."""
    return web.json_response([{"port": port, "range_m": span} for port, span in PORTS.items()])


async def tides(request: web.Request) -> web.Response:
    """GET /v1/ports/{port}/tides?days=."""
    port, days = request.match_info["port"], number(request, "days", 2, 14)
    if port not in PORTS:
        return problem(404, "There is no such port.")
    if days is None:
        return problem(422, "days must be 1 to 14.")
    return web.json_response({"port": port, "tides": _table(port, days, datetime.now(UTC))})


def _table(port: str, days: int, now: datetime) -> list[dict[str, Any]]:
    """Return high and low waters from the next on, made up."""
    first = math.ceil(now.timestamp() / _HALF_TIDE.total_seconds())
    return [_water(port, count) for count in range(first, first + round(days * 3.87))]


def _water(port: str, count: int) -> dict[str, Any]:
    time = datetime.fromtimestamp(count * _HALF_TIDE.total_seconds(), UTC)
    height = PORTS[port] / 2 * (1 + 0.15 * math.sin(count / 14))
    high = count % 2 == 0
    return {
        "time": time.strftime("%Y-%m-%dT%H:%MZ"),
        "water": "high" if high else "low",
        "height_m": round(height if high else -height, 2),
    }
