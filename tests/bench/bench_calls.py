"""One brokered tool call next to a direct GET of the same resource, by the same machine in turns.

The brokered side is what a cell does: the kernel's own client, MCP, policy, vault, credential,
egress, reflection check, audit. The direct side is what a person would write with the token in the
notebook: a reused `httpx2.AsyncClient`. Both sides are refused without the right credential.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx2
from calls_kernel import CALLERS, CALLS, ROUNDS
from figures import ratio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
from api_calls import calls_of
from broker_process import BrokerProcess
from mcp_world import Upstream, World, world
from person import Person, connected, demo_provider

from jupyter_valet.broker.toolsets import toolsets
from jupyter_valet.kernel.mcp import Call
from jupyter_valet.kernel.transport import Answer, Request, Transport

TOOLS = 1223
"""As many as GitHub's API has operations."""
PATH = "/api/projects/tidepool/issues/41"
"""A resource of 1 KB."""
REDIRECT = "http://127.0.0.1:8888/valet/callback/demo"
TURNS = 24
"""Times that both sides call `CALLS` times, after each start."""
STARTS = 5
"""Times that all programs are started anew: where the system puts what a process has is different
each time, and with it the ratio, by some hundredths."""


def measure() -> list[dict[str, Any]]:
    """Sign in on both sides, then call in turns."""
    found = _Samples(list)
    for _ in range(STARTS):
        with (
            tempfile.TemporaryDirectory() as home,
            demo_provider("--access-seconds", "3600") as issuer,
            BrokerProcess(Path(home) / "valet", demo_issuer=issuer) as broker,
        ):
            kernel = broker.kernel()
            connected(broker, kernel)
            _in_turns(issuer, broker, kernel.token, found)
    brokered, direct, one, many = (found[k] for k in ("brokered", "direct", "one", "many"))
    return [
        ratio("a brokered tool call ÷ a direct httpx2 GET", brokered, direct, "<= 1.0"),
        ratio(f"calls per second of {CALLERS} callers ÷ of one", one, many, ">= 1.0"),
        ratio(f"a call with {TOOLS:,} tools ÷ with one", *asyncio.run(_catalogues()), "<= 1.1"),
    ]


_Samples = defaultdict[str, list[float]]


def _in_turns(issuer: str, broker: BrokerProcess, capability: str, found: _Samples) -> None:
    """Add what two kernels measure (`calls_kernel.py`), of which one does each of the two things.

    A notebook does one or the other: in one process, each would pay for what the other one leaves
    in memory and caches.
    """
    told = {"issuer": issuer, "token": _token(issuer), "path": PATH}
    with ExitStack() as stack:
        kernels = [
            (side, stack.enter_context(_kernel(side, told, broker, capability)))
            for side in ("brokered", "direct")
        ]
        for number in range(TURNS + 1):
            for side, kernel in kernels:
                seconds = _asked(kernel, str(CALLS))
                if number:  # the first round warms both sides
                    found[side] += seconds
            kernels.reverse()  # neither is always the one that comes after the other
    with _kernel("load", told, broker, capability) as kernel:
        for side, seconds in _asked(kernel, "").items():
            found[side] += seconds


@contextmanager
def _kernel(
    side: str, told: dict[str, str], broker: BrokerProcess, capability: str
) -> Iterator[subprocess.Popen[str]]:
    url = f"http://127.0.0.1:{broker.port}"
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("calls_kernel.py")), side],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "JUPYTER_VALET_URL": url, "JUPYTER_VALET_CAPABILITY": capability},
        text=True,
    ) as kernel:
        assert kernel.stdin is not None
        kernel.stdin.write(json.dumps(told) + "\n")
        yield kernel
        kernel.stdin.close()


def _asked(kernel: subprocess.Popen[str], line: str) -> Any:
    assert kernel.stdin is not None
    assert kernel.stdout is not None
    kernel.stdin.write(line + "\n")
    kernel.stdin.flush()
    return json.loads(kernel.stdout.readline())


async def _catalogues() -> tuple[list[float], list[float]]:
    """Return the seconds of a call where there are `TOOLS` tools, and where it is the one."""
    with tempfile.TemporaryDirectory() as home:
        async with Upstream().running() as upstream, world(Path(home), upstream) as here:
            here.connect()
            token = here.kernel()
            large, small = _with_tools(here, TOOLS), _with_tools(here, 1)
            async with large.serving(), small.serving():
                return await asyncio.to_thread(_by_turns, large, small, token)


def _with_tools(here: World, count: int) -> World:
    """Return a world of its own endpoint, whose tools are one operation under many names."""
    [demo] = [toolset for toolset in toolsets(here.known) if toolset.name == "demo"]
    listing = next(operation for operation in demo.operations if operation.name == "list_issues")
    others = (replace(listing, name=f"list_issues_{number}") for number in range(1, count))
    demo = replace(demo, operations=(*others, listing))
    calls = calls_of([demo], here.connections, here.egress, here.known, here.policy)
    return replace(here, calls=calls, sent=bytearray())


def _caller(here: World, token: str) -> Callable[[], float]:
    transport = Transport("127.0.0.1", int(here.url.split(":")[2].split("/")[0]), token)
    listing = Call("tools/list")
    call = Call("tools/call", {"name": "demo_list_issues", "arguments": {"project": "tidepool"}})

    def timed(what: Call = call) -> float:
        request = Request("POST", "/mcp", what.http_headers(), what.body(1))
        begin = time.perf_counter()
        body = transport.fetch(request, Answer.body)
        seconds = time.perf_counter() - begin
        assert what is listing or b"Tides" in body
        return seconds

    timed(listing)
    return timed


def _by_turns(large: World, small: World, token: str) -> tuple[list[float], list[float]]:
    beside_many, alone = _caller(large, token), _caller(small, token)
    many: list[float] = []
    one: list[float] = []
    for _ in range(ROUNDS):
        many += [beside_many() for _ in range(CALLS)]
        one += [alone() for _ in range(CALLS)]
    return many[CALLS:], one[CALLS:]  # the first round warms both sides


def _token(issuer: str) -> str:
    """Get a token as a script without a broker would (RFC 6749 §4.1, RFC 7636)."""
    verifier = secrets.token_urlsafe(48)
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": "jupyter-valet-demo",
        "redirect_uri": REDIRECT,
        "scope": "openid profile issues:read",
        "state": "s",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = parse_qs(Person().at_demo(f"{issuer}/authorize?{urlencode(query)}"))
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"][0],
        "client_id": "jupyter-valet-demo",
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
    }
    return str(httpx2.post(f"{issuer}/token", data=form).json()["access_token"])
