"""A notebook's own requests through the broker, next to the same requests made directly.

One kilobyte with the clients that people use, by the same client on both sides; ten megabytes each
way, with the broker's resident memory looked at every two milliseconds meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx2
import psutil
from figures import median, ratio
from upstream import LARGE, SMALL

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
from broker_process import BrokerProcess
from keyed_broker import keyed, keyed_broker
from recording_api import KEY

ROUNDS, CALLS, LARGE_CALLS = 12, 40, 3
MEGABYTE = 1_000_000


def measure() -> list[dict[str, Any]]:
    """Type a key, then ask in turns."""
    api: Any = SimpleNamespace()
    with (
        tempfile.TemporaryDirectory() as home,
        _upstream() as api.url,
        keyed_broker(Path(home), api) as broker,
    ):
        kernel = broker.kernel()
        keyed(broker, kernel)
        os.environ["JUPYTER_VALET_URL"] = f"http://127.0.0.1:{broker.port}"
        os.environ["JUPYTER_VALET_CAPABILITY"] = kernel.token
        return [
            *_by_httpx2(api.url),
            *asyncio.run(_by_aiohttp(api.url, broker.port, kernel.token)),
            *_large(api.url, broker),
        ]


@contextlib.contextmanager
def _upstream() -> Iterator[str]:
    script = str(Path(__file__).with_name("upstream.py"))
    process = subprocess.Popen(
        [sys.executable, script, KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def _by_httpx2(url: str) -> list[dict[str, Any]]:
    import jupyter_valet as valet

    headers = {"Authorization": f"Bearer {KEY}"}
    with valet.client("own") as through, httpx2.Client(headers=headers) as direct:

        def get(client: httpx2.Client) -> None:
            assert client.get(f"{url}/small").content == SMALL

        ours, theirs = _in_turns(lambda: get(through), lambda: get(direct), CALLS)
    return [ratio("1 KB by valet.client ÷ directly by httpx2", ours, theirs, "")]


async def _by_aiohttp(url: str, port: int, token: str) -> list[dict[str, Any]]:
    """Measure the route alone: the same quick client on both sides, and httpx2 beside it."""
    route = f"http://127.0.0.1:{port}/egress/own/{url.replace('://', '/')}/small"
    held, own = ({"Authorization": f"Bearer {held}"} for held in (token, KEY))
    async with aiohttp.ClientSession() as client, httpx2.AsyncClient() as httpx:

        async def by_aiohttp(address: str, headers: dict[str, str]) -> bytes:
            async with client.get(address, headers=headers) as answer:
                return await answer.read()

        async def by_httpx2(address: str, headers: dict[str, str]) -> bytes:
            return (await httpx.get(address, headers=headers)).content

        lanes = [
            (by_aiohttp, route, held, through := []),
            (by_aiohttp, f"{url}/small", own, direct := []),
            (by_httpx2, f"{url}/small", own, direct_httpx2 := []),
        ]
        for number in range(ROUNDS + 1):
            for get, address, headers, seconds in lanes:
                if number == 1:  # the first round warmed all of them
                    seconds.clear()
                for _ in range(CALLS):
                    begin = time.perf_counter()
                    assert await get(address, headers) == SMALL
                    seconds.append(time.perf_counter() - begin)
    name = "1 KB by aiohttp through the broker ÷ directly by"
    return [
        ratio(f"{name} aiohttp", through, direct, ""),
        ratio(f"{name} httpx2", through, direct_httpx2, ""),
    ]


def _large(url: str, broker: BrokerProcess) -> list[dict[str, Any]]:
    import jupyter_valet as valet

    headers = {"Authorization": f"Bearer {KEY}"}
    figures = []
    with (
        valet.client("own", timeout=60) as through,
        httpx2.Client(headers=headers, timeout=60) as direct,
    ):
        for way, call in (("down", _down), ("up", _up)):
            both = (lambda c=call: c(through, url)), (lambda c=call: c(direct, url))
            ours, theirs = _in_turns(*both, LARGE_CALLS)
            name = f"10 MB {way} by valet.client"
            figures.append(ratio(f"{name} ÷ directly by httpx2", ours, theirs, ""))
            growth = [_growth(broker, both[0]) for _ in range(ROUNDS)]
            figures.append(median(f"{name}: growth of the broker", growth, "<= 2", "MB"))
            figures.append(median(f"{name}: largest growth", [max(growth)], "", "MB"))
    return figures


def _down(client: httpx2.Client, url: str) -> None:
    with client.stream("GET", f"{url}/large") as answer:
        assert sum(map(len, answer.iter_raw())) == len(LARGE)


def _up(client: httpx2.Client, url: str) -> None:
    # A method that reads, so that nobody is asked.
    assert client.request("QUERY", f"{url}/take", content=LARGE).json() == {"bytes": len(LARGE)}


def _in_turns(
    ours: Callable[[], None], theirs: Callable[[], None], calls: int
) -> tuple[list[float], list[float]]:
    taken: dict[Callable[[], None], list[float]] = {ours: [], theirs: []}
    for number in range(ROUNDS + 1):
        for call, seconds in taken.items():
            for _ in range(calls):
                begin = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - begin)
        if number == 0:  # the first round warms both sides
            for seconds in taken.values():
                seconds.clear()
    return taken[ours], taken[theirs]


def _growth(broker: BrokerProcess, call: Callable[[], None]) -> float:
    """Return by how many megabytes the broker was larger, at its largest, than before."""
    process = psutil.Process(broker.process.pid)
    done = threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not done.wait(0.002):
            seen.append(process.memory_info().rss)

    before = statistics.median(process.memory_info().rss for _ in range(5))
    thread = threading.Thread(target=look)
    thread.start()
    call()
    done.set()
    thread.join()
    return (max([*seen, process.memory_info().rss]) - before) / MEGABYTE
