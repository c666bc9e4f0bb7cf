"""The demo's three APIs and their documents, as a notebook that adds them meets them."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from jupyter_valet.broker.toolsets.documents import compile_document
from jupyter_valet.demo.app import Demo, serve
from jupyter_valet.demo.weather import KEY_HEADER

pytestmark = pytest.mark.anyio

DOCUMENTS = {
    "tracker": "/openapi.json",
    "weather": "/weather/openapi.json",
    "tides": "/tides/openapi.json",
}


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with serve() as running:
        yield running


async def get(url: str, **headers: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        return answer.status, json.loads(await answer.read())


@pytest.mark.parametrize(
    ("name", "tools"),
    [
        (
            "tracker",
            {"get_me", "list_projects", "list_issues", "get_issue", "create_issue", "update_issue"},
        ),
        ("weather", {"list_stations", "list_observations"}),
        ("tides", {"ports_list_all", "tides_list_for_port_by_days"}),
    ],
)
async def test_each_document_compiles_whole(demo: Demo, name: str, tools: set[str]) -> None:
    _, document = await get(demo.issuer + DOCUMENTS[name])
    compiled = compile_document(document, name=name)
    assert {operation.name for operation in compiled.toolset.operations} == tools
    assert not compiled.skipped


async def test_each_api_is_at_an_origin_of_its_own(demo: Demo) -> None:
    """A credential belongs to an origin, so the key of one never goes to another."""
    servers = {
        (await get(demo.issuer + path))[1]["servers"][0]["url"] for path in DOCUMENTS.values()
    }
    assert servers == {demo.issuer, demo.weather_url, demo.tides_url}
    assert len(servers) == 3


async def test_weather_is_for_who_has_the_key_of_the_page(demo: Demo) -> None:
    stations = f"{demo.weather_url}/v1/stations"
    assert (await get(stations))[0] == 401
    assert (await get(stations, **{KEY_HEADER: "tw-other"}))[0] == 401
    async with aiohttp.ClientSession() as http:
        shown = await (await http.get(f"{demo.issuer}/weather")).text()
    assert demo.weather.key in shown
    status, found = await get(stations, **{KEY_HEADER: demo.weather.key})
    assert (status, len(found)) == (200, 3)


async def test_observations_are_hourly_and_limited(demo: Demo) -> None:
    one = f"{demo.weather_url}/v1/stations/malmo/observations"
    key = {KEY_HEADER: demo.weather.key}
    status, rows = await get(f"{one}?hours=5", **key)
    assert (status, len(rows)) == (200, 5)
    assert rows == sorted(rows, key=lambda row: row["time"])
    for wrong in ("0", "169", "x", "-1", "²"):
        assert (await get(f"{one}?hours={wrong}", **key))[0] == 422
    assert (await get(f"{demo.weather_url}/v1/stations/x/observations", **key))[0] == 404


async def test_tides_alternate_and_are_for_everybody(demo: Demo) -> None:
    _, table = await get(f"{demo.tides_url}/v1/ports/cuxhaven/tides?days=1")
    waters = [row["water"] for row in table["tides"]]
    assert all(first != second for first, second in itertools.pairwise(waters))
    assert (await get(f"{demo.tides_url}/v1/ports/x/tides"))[0] == 404
    assert (await get(f"{demo.tides_url}/v1/ports/cuxhaven/tides?days=99"))[0] == 422


async def test_the_neighbours_serve_their_own_host_alone(demo: Demo) -> None:
    """DNS rebinding."""
    for url in (demo.weather_url, demo.tides_url):
        assert (await get(f"{url}/v1/ports", Host="evil.example"))[0] == 421
