"""Faults of the real world: `kill -9`, two processes, a full disk. Real processes throughout."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import anyio
import pytest
from vault_worlds import World, in_a_file, running_world

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Vault, open_vault

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9, modes and mounts are POSIX")

Start = Callable[..., "subprocess.Popen[str]"]
Opened = Callable[..., AbstractContextManager[Vault]]

PROGRAMS = Path(__file__).with_name("vault_programs.py")


def finish(process: subprocess.Popen[str]) -> list[str]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out.split()


def killed(process: subprocess.Popen[str], after: float) -> list[str]:
    """Kill a process some time after its first line, and return everything that it had said."""
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(after)
    process.kill()
    rest, _ = process.communicate(timeout=60)
    complete = (first + rest).rpartition("\n")[0]
    return complete.split()


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    yield from running_world(request, tmp_path)


@pytest.fixture
def opened(world: World) -> Opened:
    """Open the vault for a while."""
    return lambda folder=None: contextlib.closing(world.open(folder=folder))


@pytest.fixture
def state_dir(world: World) -> Path:
    return world.folder


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """Start programs of `vault_programs`; whatever still runs at the end is killed."""
    with contextlib.ExitStack() as stack:

        def starter(name: str, state_dir: Path, *arguments: object) -> subprocess.Popen[str]:
            command = [sys.executable, str(PROGRAMS), name, str(state_dir), *map(str, arguments)]
            environ = {**os.environ, **world.environ}
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield starter


def test_what_was_stored_survives_kill_9(
    world: World, start: Start, state_dir: Path, opened: Opened
) -> None:
    """R174: every write that returned is there, whole, and nothing is refused."""
    chance = random.Random(7)
    for _ in range(world.rounds):
        said = killed(start("write", state_dir, "writer"), chance.uniform(0, 0.05))
        with opened() as vault:
            record = vault.get("connection", "writer")
            assert record.meta["number"] >= int(said[-1])
            assert reveal(record.payload) == f"writer {record.meta['number']}"


def test_a_rotation_survives_kill_9(
    world: World, start: Start, state_dir: Path, opened: Opened
) -> None:
    """At any moment of it, beside a process that writes and reads all the time."""
    with opened() as vault:
        for number in range(100):
            vault.put("connection", f"{number}", {}, Secret(f"token {number}"))
    chance = random.Random(11)
    for _ in range(world.rounds):
        writer = start("write", state_dir, "writer")
        killed(start("rotate", state_dir), chance.uniform(0, 0.1))
        said = killed(writer, 0)
        with opened() as vault:
            for number in range(100):
                assert reveal(vault.get("connection", f"{number}").payload) == f"token {number}"
            assert vault.get("connection", "writer").meta["number"] >= int(said[-1])
    with opened() as vault:
        vault.rotate()


def test_making_a_vault_survives_kill_9(
    world: World, start: Start, tmp_path: Path, opened: Opened
) -> None:
    """Whatever was made by then is finished by the next start, or thrown away."""
    chance = random.Random(13)
    for number in range(world.rounds + 3):
        state_dir = tmp_path / f"state{number}"
        process = start("make", state_dir)
        deadline = time.monotonic() + 30
        while not (state_dir / "locks").exists() and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate(timeout=60)
        with opened(state_dir) as vault:
            vault.put("connection", "1", {}, Secret("token"))


def test_processes_that_start_together_make_one_vault(
    start: Start, state_dir: Path, opened: Opened
) -> None:
    makers = [start("count", state_dir, 5) for _ in range(4)]
    for maker in makers:
        finish(maker)
    with opened() as vault:
        assert vault.get("counter", "shared").meta["number"] == 20


@pytest.mark.parametrize("how", ["count", "count_locked"])
def test_no_update_is_lost_between_two_processes(
    start: Start, state_dir: Path, how: str, opened: Opened
) -> None:
    """R175: neither by compare and swap nor under the lock."""
    counters = [start(how, state_dir, 150) for _ in range(2)]
    for counter in counters:
        finish(counter)
    with opened() as vault:
        assert vault.get("counter", "shared").meta["number"] == 300


def test_a_token_is_redeemed_by_one_process(start: Start, state_dir: Path) -> None:
    winners = [start("redeem", state_dir, 100) for _ in range(3)]
    won = [int(number) for winner in winners for number in finish(winner)]
    assert sorted(won) == list(range(100))


@pytest.mark.anyio
async def test_a_lock_is_released_by_kill_9(start: Start, state_dir: Path, opened: Opened) -> None:
    holder = start("hold", state_dir)
    assert holder.stdout is not None
    assert await anyio.to_thread.run_sync(holder.stdout.readline) == "held\n"
    with opened() as vault:
        with anyio.move_on_after(0.2) as waiting:
            async with vault.lock("held"):
                raise AssertionError("held by two processes")
        assert waiting.cancelled_caught
        holder.kill()
        with anyio.fail_after(10):
            async with vault.lock("held"):
                pass
    holder.communicate()


@in_a_file
def test_a_file_that_may_not_grow_is_told_and_harms_nothing(
    start: Start, state_dir: Path, opened: Opened
) -> None:
    """RLIMIT_FSIZE: the write fails in the middle of the WAL."""
    open_vault(state_dir, "file").close()
    code, kept, listed = finish(start("fill", state_dir, 300_000))
    assert code == "vault_unwritable"
    assert int(kept) == int(listed) > 0
    with opened() as vault:
        assert len(vault.list("blob")) >= int(kept)
        vault.put("connection", "1", {}, Secret("token"))


@in_a_file
def test_a_full_disk_is_told_and_harms_nothing(
    start: Start, small_disk: Path, opened: Opened
) -> None:
    """ENOSPC, on a real file system of half a megabyte."""
    state_dir = small_disk / "state"
    open_vault(state_dir, "file").close()
    code, kept, listed = finish(start("fill", state_dir, 0))
    assert code == "vault_unwritable"
    assert int(kept) == int(listed) > 0
    with opened(state_dir) as vault:
        assert len(vault.list("blob")) >= int(kept)


@in_a_file
def test_a_vault_cannot_be_made_on_a_full_disk_and_can_be_later(
    small_disk: Path, opened: Opened
) -> None:
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError):
        ballast.write_bytes(b"x" * (1 << 20))
    with pytest.raises(Exception, match="could not be written"):
        open_vault(small_disk / "state", "file")
    ballast.unlink()
    with opened(small_disk / "state") as vault:
        vault.put("connection", "1", {}, Secret("token"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    options = "size=512k,mode=0700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small file system cannot be mounted here; RLIMIT_FSIZE is tested anyway")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)
