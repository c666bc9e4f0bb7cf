"""`jupyter valet stdio` in front of a real server: the SDK's client over its pipes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from jupyter_process import TOKEN, Server, jupyter_server
from leaks import must_not_leak
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ElicitResult
from outside import sign_in

pytestmark = [pytest.mark.timeout(120), pytest.mark.anyio]

MODES = ["legacy", "2026-07-28"]
COMMAND = [sys.executable, "-m", "jupyter_valet.cli", "stdio"]
PING = {"jsonrpc": "2.0", "id": 7, "method": "ping"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    config = "c.ValetExtension.demo = True\n"
    with jupyter_server(home, fake=False, config=config) as running:
        yield running
    must_not_leak(home, home / "state")


def environment(server: Server) -> dict[str, str]:
    return {"JUPYTER_RUNTIME_DIR": str(server.home / "runtime"), "HOME": str(server.home)}


@asynccontextmanager
async def bridged(server: Server, mode: str, **how: Any) -> AsyncIterator[Client]:
    program = StdioServerParameters(
        command=COMMAND[0], args=COMMAND[1:], env=environment(server), cwd=str(server.home)
    )
    async with Client(stdio_client(program), mode=mode, **how) as mcp:
        yield mcp


def run(server: Server, said: str, *more: str, cwd: Path | None = None) -> tuple[int, str, str]:
    ended = subprocess.run(
        [*COMMAND, *more],
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(server),
        cwd=cwd,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("mode", MODES)
async def test_a_whole_call_with_its_sign_in_goes_over_the_pipes(server: Server, mode: str) -> None:
    async def opens(context: Any, params: Any) -> ElicitResult:
        ended = await anyio.to_thread.run_sync(sign_in, server, params.url)
        assert "Connected as" in ended
        return ElicitResult(action="accept")

    async with bridged(server, mode, elicitation_callback=opens) as mcp:
        assert "demo_list_issues" in {tool.name for tool in (await mcp.list_tools()).tools}
        result = await mcp.call_tool("demo_list_issues", {"project": "tidepool"})
    assert not result.is_error, result


def test_it_ends_with_its_input_and_says_nothing_but_messages(server: Server) -> None:
    status, out, _ = run(server, json.dumps({**PING, "method": "nonsense"}) + "\n")
    assert status == 0
    [answer] = [json.loads(line) for line in out.splitlines()]
    assert answer["id"] == 7
    assert "error" in answer
    assert TOKEN not in out


def test_a_line_that_is_no_message_is_passed_over(server: Server) -> None:
    status, out, _ = run(
        server, "not json\n[]\n" + json.dumps({**PING, "method": "nonsense"}) + "\n"
    )
    assert status == 0
    assert [json.loads(line)["id"] for line in out.splitlines()] == [7]


def test_without_a_server_it_says_what_to_do(server: Server, tmp_path: Path) -> None:
    status, out, err = run(server, "", "--server", "1", cwd=tmp_path)
    assert (status, out) == (1, "")
    assert err == (
        "jupyter valet: No Jupyter server of yours runs here at 1. "
        "Start one (`jupyter lab`), and try again.\n"
    )


def test_a_key_that_is_not_good_is_refused_in_words(server: Server) -> None:
    """The Jupyter token is not tried instead: who names a key wants its limits."""
    ended = subprocess.run(
        COMMAND,
        input=json.dumps({**PING, "method": "tools/list", "params": {}}) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        env={**environment(server), "JUPYTER_VALET_KEY": "jva_" + "x" * 43},
        check=False,
    )
    answer = json.loads(ended.stdout)
    assert answer["error"]["data"] == {"code": "token_refused"}
    assert "jva_" not in ended.stdout + ended.stderr
