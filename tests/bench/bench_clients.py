"""A thousand clients outside of the notebooks at Jupyter's port, and what a kernel notices of them.

Each client has a session of 2025-11-25, the revision that costs more, for 2026-07-28 keeps nothing
between two requests; and then a stream open besides, as an editor that is left alone has. The
kernel's calls are timed in turns with those of a kernel whose server has no such clients,
forwarding in turns with the same request to the broker itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from figures import ratio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
from jupyter_process import TOKEN, Server, jupyter_server
from notebook_kernel import Kernel
from outside import sign_in, url

SESSIONS = 1000
AT_ONCE = 64
TURNS = 30
CALLS = 20
KB = 1024
HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}

PREPARE = """
%load_ext jupyter_valet
import http.client, json, os, statistics, time, urllib.parse
where = urllib.parse.urlsplit(os.environ["JUPYTER_VALET_URL"])
def timed(do, calls):
    seconds = []
    for _ in range(calls):
        begin = time.perf_counter(); do(); seconds.append(time.perf_counter() - begin)
    return seconds
def issue():
    assert tools.demo.get_issue("tidepool", 41)["number"] == 41
"""
IN_TURNS = """
meta = {{"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {{"name": "bench", "version": "1"}},
        "io.modelcontextprotocol/clientCapabilities": {{}}}}
arguments = {{"project": "tidepool", "number": 41}}
params = {{"name": "demo_get_issue", "arguments": arguments, "_meta": meta}}
body = json.dumps({{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}})
def asker(netloc, path, token):
    connection = http.client.HTTPConnection(netloc, timeout=60)
    headers = {{"Authorization": "Bearer " + token, "Content-Type": "application/json",
               "Accept": "application/json, text/event-stream",
               "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call",
               "Mcp-Name": "demo_get_issue"}}
    def ask():
        connection.request("POST", path, body, headers)
        answer = connection.getresponse(); said = answer.read()
        assert answer.status == 200 and b'"isError":true' not in said, said
    return ask
direct = asker(where.netloc, "/mcp", os.environ["JUPYTER_VALET_CAPABILITY"])
through = asker("127.0.0.1:{port}", "{path}", "{token}")
connection = http.client.HTTPConnection("127.0.0.1:{port}")
def status():
    connection.request("GET", "{base}api/status", headers={{"Authorization": "token {token}"}})
    assert connection.getresponse().read()
for ask in (direct, through, status): timed(ask, 30)
got = [[], [], []]
for _ in range(60):
    for number, ask in enumerate((direct, through, status)):
        got[number].append(statistics.median(timed(ask, 20)))
print(json.dumps(got))
"""


@dataclass
class Session:
    """One client's session, and its stream once that is open."""

    id: str
    stream: aiohttp.ClientResponse | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Mcp-Session-Id": self.id, "MCP-Protocol-Version": "2025-11-25"}


def measure() -> list[dict[str, Any]]:
    """Open the sessions, time what a kernel does meanwhile, and close them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    # Without the wall the kernel can time the way through Jupyter's port, too. The tests' servers
    # write at level DEBUG, to look for canaries in it; a person's do not.
    config = (
        "c.ValetExtension.demo = True\n"
        "c.ValetExtension.sandbox = 'off'\n"
        "c.ServerApp.log_level = 'INFO'\n"
    )
    try:
        with (
            tempfile.TemporaryDirectory() as home,
            tempfile.TemporaryDirectory() as home_of_quiet,
            jupyter_server(Path(home), fake=False, config=config, base="/user/jane/") as server,
            jupyter_server(Path(home_of_quiet), fake=False, config=config) as quiet,
        ):
            return asyncio.run(_measure(server, quiet))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _measure(server: Server, quiet: Server) -> list[dict[str, Any]]:
    kernel, other = await _kernel(server), await _kernel(quiet)
    try:
        await _client_connected(server)
        shared = await _forwarding(server, kernel)
        with _apart(server, int(kernel.run("print(os.getpid())"))):
            direct, through, status = await _forwarding(server, kernel)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as http:
            empty = _memory(server)
            sessions = await _each(range(SESSIONS), lambda _: _session(url(server), http))
            idle = _memory(server)
            streams = await _each(sessions, lambda session: _stream(url(server), http, session))
            full = _memory(server)
            during, without = await _calls_in_turns(kernel, other)
            errors = await _all_at_once(server, http, sessions)
            for session in sessions:
                if session.stream is not None:
                    session.stream.close()
    finally:
        await asyncio.to_thread(kernel.end)
        await asyncio.to_thread(other.end)
    added = [a - b for a, b in zip(through, direct, strict=True)]
    added_shared = [a - b for a, b in zip(shared[1], shared[0], strict=True)]
    return [
        {
            "name": f"errors of {SESSIONS:,} client sessions",
            "value": float(2 * SESSIONS - len(sessions) - len(streams) + errors),
            "goal": "<= 0",
            "unit": "requests",
        },
        {
            "name": "memory of an idle session, server and broker",
            "value": (idle - empty) / KB / SESSIONS,
            "goal": "<= 64",
            "unit": "KB",
        },
        {
            "name": "memory of an open stream besides, server and broker",
            "value": (full - idle) / KB / SESSIONS,
            "goal": "",
            "unit": "KB",
        },
        ratio("a kernel's call with these sessions ÷ without", during, without, "<= 1.2"),
        ratio("what Jupyter's port adds to a call ÷ the call", added, direct, "<= 1.0"),
        ratio("what it adds ÷ a small authenticated handler of Jupyter", added, status, ""),
        ratio("what it adds ÷ the call, its client on any CPU", added_shared, shared[0], ""),
    ]


async def _connected(server: Server, call: Any) -> None:
    """Make a call that needs the sign-in, and sign in."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    while not work.done():
        body = (await asyncio.to_thread(server.get, "valet/connections")).body
        if found := re.search(r'valet/connect/([\w-]+)"', body):
            address = f"{server.url}valet/connect/{found[1]}"
            await asyncio.to_thread(sign_in, server, address)
            break
        await asyncio.sleep(0.1)
    await work


async def _forwarding(server: Server, kernel: Kernel) -> list[list[float]]:
    """Return the seconds of a call at the broker, through Jupyter, and of a small handler.

    One of each for a turn, in which they take a fraction of a second: a machine that is shared
    changes its pace from second to second.
    """
    code = IN_TURNS.format(
        port=server.port, path=f"{server.base}valet/mcp", token=TOKEN, base=server.base
    )
    found: list[list[float]] = json.loads(await asyncio.to_thread(kernel.run, code))
    return found


@contextmanager
def _apart(server: Server, client: int) -> Iterator[None]:
    """Give the client a CPU of its own, as load generators have one.

    Where there are two for all, the scheduler puts the server beside the client or not, and that
    is more than what it does for a call.
    """
    usual = os.sched_getaffinity(0)
    own = {max(usual)}
    processes = psutil.Process(server.process.pid).children(recursive=True)
    try:
        for process in (psutil.Process(server.process.pid), *processes):
            _on(process, own if process.pid == client else usual - own or own)
        yield
    finally:
        for process in (psutil.Process(server.process.pid), *processes):
            _on(process, usual)


def _on(process: psutil.Process, cpus: set[int]) -> None:
    for thread in process.threads():
        os.sched_setaffinity(thread.id, cpus)


async def _client_connected(server: Server) -> None:
    """Let the client of the bench use the connection that the kernel has."""
    from outside import client, grant

    async with client(server, TOKEN, "2026-07-28") as mcp:
        arguments = {"project": "tidepool", "number": 41}
        await mcp.call_tool("demo_get_issue", arguments)
        body = (await asyncio.to_thread(server.get, "valet/connections")).body
        found = re.search(r'valet/connect/([\w-]+)"', body)
        assert found, body
        address = f"{server.url}valet/connect/{found[1]}"
        await asyncio.to_thread(grant, server, address, {})
        result = await mcp.call_tool("demo_get_issue", arguments)
        assert not result.is_error, result


async def _kernel(server: Server) -> Kernel:
    """Return a kernel whose person has signed in."""
    kernel = await asyncio.to_thread(Kernel, server)
    await asyncio.to_thread(kernel.run, PREPARE)
    await _connected(server, lambda: kernel.run("issue()"))
    return kernel


async def _calls_in_turns(*kernels: Kernel) -> list[list[float]]:
    """Return each kernel's calls: the median of each of its turns, in seconds."""
    code = f"print(statistics.median(timed(issue, {CALLS})))"
    found: list[list[float]] = [[] for _ in kernels]
    for _ in range(TURNS):
        for seconds, kernel in zip(found, kernels, strict=True):
            seconds.append(float(await asyncio.to_thread(kernel.run, code)))
    return found


async def _each(things: Iterable[Any], do: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """Do it for each, some at a time; return what came of those that went well."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(thing: Any) -> Any:
        async with turn:
            try:
                return await do(thing)
            except (aiohttp.ClientError, AssertionError, TimeoutError) as error:
                print("refused:", repr(error)[:200], file=sys.stderr)
                return None

    found = await asyncio.gather(*map(one, things))
    return [thing for thing in found if thing is not None]


async def _session(endpoint: str, http: aiohttp.ClientSession) -> Session:
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE}
    async with http.post(endpoint, json=message) as answer:
        assert answer.status == 200, answer.status
        await answer.read()
        id = answer.headers["Mcp-Session-Id"]
    session = Session(id)
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    async with http.post(endpoint, json=told, headers=session.headers) as answer:
        assert answer.status == 202, answer.status
    return session


async def _stream(endpoint: str, http: aiohttp.ClientSession, session: Session) -> Session:
    forever = aiohttp.ClientTimeout(total=None)
    session.stream = await http.get(endpoint, headers=session.headers, timeout=forever)
    assert session.stream.status == 200, session.stream.status
    return session


async def _all_at_once(server: Server, http: aiohttp.ClientSession, sessions: list[Session]) -> int:
    """Let every session ask for the tools; return how many did not get them."""

    async def one(session: Session) -> bool:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        try:
            async with http.post(url(server), json=message, headers=session.headers) as answer:
                return answer.status == 200 and b"demo_get_issue" in await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return False

    return (await asyncio.gather(*map(one, sessions))).count(False)


def _memory(server: Server) -> int:
    """Return the bytes that the server and its broker have for themselves."""
    process = psutil.Process(server.process.pid)
    known = [process, *(p for p in process.children() if "jupyter_valet.broker" in p.cmdline())]
    assert len(known) == 2, known
    return sum(p.memory_full_info().uss for p in known)
