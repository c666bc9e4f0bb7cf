"""Upstream servers that are programs: what they get, and how they end."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from upstream_world import upstream_world

from jupyter_valet.broker.upstream.program import LOG, Restarts
from jupyter_valet.broker.upstream.settings import server
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

SCRIPT = str(Path(__file__).parents[1] / "providers/stdio_server.py")


def program(*args: str, **more: Any) -> dict[str, Any]:
    return {"command": sys.executable, "args": [SCRIPT, *args], **more}


async def test_a_program_has_a_folder_of_its_own_and_a_bare_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BP-17, BP-21: nothing of the broker's environment but what finds programs and the home."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for it")
    async with upstream_world(tmp_path, {"prog": program(env={"MODE": "test"})}) as world:
        await world.connected("prog")
        where = await world.call("prog_where")
        assert where.data == str(tmp_path / "programs/prog")
        names = (await world.call("prog_environment")).data
        assert "MODE" in names
        allowed = {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "MODE", "LC_CTYPE", "PWD"}
        assert set(names) <= allowed
    assert stat.S_IMODE((tmp_path / "programs/prog").stat().st_mode) == 0o700
    assert (tmp_path / "programs/prog" / LOG).read_text() == "started\n"


async def test_a_program_that_dies_is_started_again_for_the_next_call(tmp_path: Path) -> None:
    async with upstream_world(tmp_path, {"prog": program()}) as world:
        await world.connected("prog")
        with pytest.raises(ValetError) as died:
            await world.call("prog_die")
        assert died.value.code == "program_failed"
        assert LOG in died.value.next
        await asyncio.sleep(1.1)  # the first pause
        assert (await world.call("prog_where")).error is None


async def test_a_command_that_there_is_not_is_told_with_its_log(tmp_path: Path) -> None:
    async with upstream_world(tmp_path, {"prog": {"command": "no-such-program-xyz"}}) as world:
        for _ in range(2):
            with pytest.raises(ValetError) as missing:
                await world.signed_in_call("prog_connect")
            assert missing.value.code == "program_failed"
    assert "no-such-program" in (tmp_path / "programs/prog" / LOG).read_text()


def test_a_program_that_keeps_ending_is_started_later_and_later(tmp_path: Path) -> None:
    now = [0.0]
    restarts = Restarts(lambda: now[0])
    prog = server("prog", {"command": "x"})
    pauses = []
    for _ in range(9):
        restarts.check(prog, tmp_path)
        restarts.ended(prog, 0.1)
        with pytest.raises(ValetError):
            restarts.check(prog, tmp_path)
        pauses.append(restarts.pause(prog))
        now[0] += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    restarts.ended(prog, 100.0)
    restarts.check(prog, tmp_path)
    restarts.ended(prog, 0.1)
    assert restarts.pause(prog) == 1


async def test_a_program_ends_with_the_broker_s_services(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    async with upstream_world(tmp_path, {"prog": program(str(note))}) as world:
        await world.connected("prog")
        pid = int(note.read_text().split()[0])
        assert not _gone(pid)
    assert _gone(pid)


async def test_a_program_ends_with_the_kernel_that_it_ran_for(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    async with upstream_world(tmp_path, {"prog": program(str(note))}) as world:
        await world.connected("prog")
        pid = int(note.read_text().split()[0])
        world.source.ended("another")
        world.source.ended("k1", "user:another")
        await world.call("prog_where")
        assert not _gone(pid)
        world.source.ended("k1")
        async with asyncio.timeout(20):
            while not _gone(pid):  # noqa: ASYNC110 - a test may look
                await asyncio.sleep(0.02)
        await world.call("prog_where")


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_program_ends_when_the_broker_is_killed(tmp_path: Path) -> None:
    """PR_SET_PDEATHSIG: `kill -9` leaves nothing behind."""
    note = tmp_path / "pid"
    code = (
        "import os, subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-I', '-m', 'jupyter_valet.broker.upstream.guard',"
        " str(os.getpid()), 'sh', '-c', 'echo $$ > ' + sys.argv[1] + '; sleep 600'])\n"
        "time.sleep(600)\n"
    )
    broker = subprocess.Popen([sys.executable, "-c", code, str(note)])
    try:
        _until(lambda: note.exists() and note.read_text().strip())
        pid = int(note.read_text())
    finally:
        broker.kill()
        broker.wait()
    _until(lambda: _gone(pid))


def _until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


async def test_a_key_goes_into_the_one_variable_and_comes_back_to_nobody(tmp_path: Path) -> None:
    """R93: a program that prints its key is withheld, like an API that echoes it."""
    entry = program(key_env="SECRET_KEY")
    key = "sk-Canary-4f8Qm2Zx9Lw7Tn5Rb1"  # long enough to be no chance
    async with upstream_world(tmp_path, {"prog": entry}) as world:
        await world.type_key("prog", "prog_connect", key)
        await world.call("prog_connect")
        names = (await world.call("prog_environment")).data
        assert "SECRET_KEY" in names
        with pytest.raises(ValetError) as withheld:
            await world.call("prog_leak")
        assert withheld.value.code == "response_withheld"
        assert any(event.get("outcome") == "response_withheld" for event in world.events)
    assert key not in json.dumps(world.events)


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "x", "url": "https://mcp.example.com"},
        {"command": ""},
        {"command": "x", "env": {"A=B": "c"}},
        {"command": "x", "env": {"A": 7}},
        {"command": "x", "args": "not a list"},
        {"command": "x", "args": ["nul\0"]},
        {"command": "x", "key_env": "A B"},
        {"command": "x", "shell": True},
    ],
)
def test_a_setting_that_is_wrong_is_named(entry: dict[str, Any]) -> None:
    with pytest.raises(ValetError, match="MCP server prog"):
        server("prog", entry)
