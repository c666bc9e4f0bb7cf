"""A kernel of `bench_calls.py`: `calls_kernel.py brokered`, or `direct`, as it is told to call.

It is a process of its own, as kernels are: the broker's control channel ends in the server, and
whoever reads its events must not do that where a call is timed. Reads `{"issuer", "token", "path"}`
and then numbers of calls from standard input, and writes lists of seconds to standard output;
for `load`, the seconds of a call by one caller and by many.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ROUNDS, CALLS = 12, 40
CALLERS = 64

Call = Callable[[], Awaitable[Any]]


def brokered() -> Call:
    """Return a cell's own call of a tool."""
    from jupyter_valet import tools

    async def call() -> Any:
        return tools.demo.get_issue("tidepool", 41)

    return call


def direct(url: str, token: str) -> Call:
    """Return what a person would write with the token in the notebook."""
    import httpx2

    client, headers = httpx2.AsyncClient(), {"Authorization": f"Bearer {token}"}

    async def call() -> Any:
        answer = await client.get(url, headers=headers)
        assert 1000 < len(answer.content) < 1100
        return answer.json()

    return call


async def when_told(call: Call) -> None:
    """Time as many calls as each line says."""
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            issue = await call()
            seconds.append(time.perf_counter() - begin)
            assert issue["number"] == 41
        print(json.dumps(seconds), flush=True)


def under_load() -> dict[str, list[float]]:
    """Return the seconds that one caller needs for a call, and that many together need."""
    found: dict[str, list[float]] = {"one": [], "many": []}
    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(_issue, range(2 * CALLERS)))  # connections and threads are there
        for _ in range(ROUNDS // 2):
            for call_all, seconds in ((callers.map, found["many"]), (map, found["one"])):
                begin = time.perf_counter()
                numbers = list(call_all(_issue, range(4 * CALLERS)))
                seconds.append((time.perf_counter() - begin) / len(numbers))
                assert set(numbers) == {41}
    return found


def _issue(_: int) -> int:
    from jupyter_valet import tools

    return int(tools.demo.get_issue("tidepool", 41)["number"])


if __name__ == "__main__":
    told = json.loads(sys.stdin.readline())
    match sys.argv[1]:
        case "brokered":
            asyncio.run(when_told(brokered()))
        case "direct":
            asyncio.run(when_told(direct(told["issuer"] + told["path"], told["token"])))
        case "load":
            print(json.dumps(under_load()))
