"""Locks: across tasks, across connections, and never in the way of the event loop."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from jupyter_valet.broker.vault import Vault

pytestmark = pytest.mark.anyio


async def crowd(vaults: list[Vault], count: int) -> int:
    """Let many tasks take the same lock and return how many were inside at once, at most."""
    inside = most = 0

    async def work(vault: Vault) -> None:
        nonlocal inside, most
        async with vault.lock("refresh owner/github/1"):
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.001)
            inside -= 1

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(work, vaults[number % len(vaults)])
    return most


async def test_one_task_at_a_time_holds_a_lock(vault: Vault) -> None:
    with anyio.fail_after(10):
        assert await crowd([vault], 64) == 1


async def test_tasks_of_a_process_get_a_lock_in_the_order_they_came(vault: Vault) -> None:
    order: list[int] = []

    async def work(number: int) -> None:
        async with vault.lock("a"):
            order.append(number)
            await anyio.sleep(0.003)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(work, number)
                await anyio.lowlevel.checkpoint()
    assert order == sorted(order)


async def test_two_connections_share_the_lock(vault: Vault, open_again) -> None:
    with anyio.fail_after(10):
        assert await crowd([vault, open_again()], 20) == 1


async def test_locks_of_other_names_do_not_wait(vault: Vault) -> None:
    with anyio.fail_after(20):
        async with vault.lock("a"), vault.lock("b"):
            pass


async def test_the_loop_runs_while_a_lock_is_waited_for(vault: Vault, open_again) -> None:
    other = open_again()
    async with vault.lock("a"):
        with anyio.move_on_after(0.2) as waiting:
            async with other.lock("a"):
                raise AssertionError("held twice")
    assert waiting.cancelled_caught
    with anyio.fail_after(20):
        async with other.lock("a"):
            pass


async def test_a_lock_is_released_when_its_task_fails(vault: Vault) -> None:
    with pytest.raises(KeyError):
        async with vault.lock("a"):
            raise KeyError
    with anyio.fail_after(20):
        async with vault.lock("a"):
            pass


async def test_a_lock_file_does_not_tell_what_it_locks(vault: Vault, state_dir) -> None:
    async with vault.lock("owner/github"):
        assert not any("github" in path.name for path in (state_dir / "locks").iterdir())
