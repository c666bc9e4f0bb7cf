"""Weather stations behind an API key: the second of the demo's APIs."""

from __future__ import annotations

import hmac
import math
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from .answers import Handler, number, only_this_host, problem

KEY_HEADER = "X-Weather-Key"

STATIONS = {
    "malmo": {"id": "malmo", "name": "Malmö harbour", "latitude": 55.62, "longitude": 12.99},
    "varberg": {"id": "varberg", "name": "Varberg", "latitude": 57.11, "longitude": 12.24},
    "kungsholmsfort": {
        "id": "kungsholmsfort",
        "name": "Kungsholmsfort",
        "latitude": 56.11,
        "longitude": 15.59,
    },
}


class Weather:
    """Made-up observations for whoever shows the one key; it is a new one in each run."""

    def __init__(self) -> None:
        self.key = "tw-" + secrets.token_urlsafe(24)

    def application(self) -> web.Application:
        """Return the API as an application of its own: another origin, another credential."""
        app = web.Application(middlewares=[only_this_host, self._with_key])
        app.add_routes(
            [
                web.get("/v1/stations", self.stations),
                web.get("/v1/stations/{station}/observations", self.observations),
            ]
        )
        return app

    @web.middleware
    async def _with_key(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get(KEY_HEADER, "")
        if not hmac.compare_digest(given.encode(), self.key.encode()):
            return problem(401, f"A valid {KEY_HEADER} is needed.")
        return await handler(request)

    async def stations(self, request: web.Request) -> web.Response:
        """GET /v1/stations."""
        return web.json_response(list(STATIONS.values()))

    async def observations(self, request: web.Request) -> web.Response:
        """GET /v1/stations/{station}/observations?hours=."""
        station = request.match_info["station"]
        hours = number(request, "hours", 24, 168)
        if station not in STATIONS:
            return problem(404, "There is no such station.")
        if hours is None:
            return problem(422, "hours must be 1 to 168.")
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        times = [now - timedelta(hours=back) for back in range(hours)]
        return web.json_response([_observation(station, time) for time in reversed(times)])


def _observation(station: str, time: datetime) -> dict[str, Any]:
    """Return what was measured: the same for the same hour, and no two stations alike."""
    phase = time.timestamp() / 3600 + 5 * list(STATIONS).index(station)
    return {
        "time": time.strftime("%Y-%m-%dT%H:%MZ"),
        "wind_m_s": round(6 + 4 * math.sin(phase / 7), 1),
        "gust_m_s": round(9 + 6 * math.sin(phase / 7), 1),
        "pressure_hpa": round(1012 + 8 * math.sin(phase / 31), 1),
    }
