"""One timer for many that are called back after a moment."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from jupyter_valet.broker.mcp.soon import Soon

pytestmark = pytest.mark.anyio


async def test_each_is_called_back_after_its_own_moment_in_order() -> None:
    soon, called, loop = Soon(0.05), [], asyncio.get_running_loop()
    begun = []
    for number in range(5):
        begun.append(loop.time())
        soon.call(lambda number=number: called.append((number, loop.time())))  # type: ignore[misc]
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert [number for number, _ in called] == list(range(5))
    assert all(at - then >= 0.049 for (_, at), then in zip(called, begun, strict=True))


async def test_who_is_over_is_not_called_back_and_keeps_nobody_waiting() -> None:
    soon, called = Soon(0.02), []
    over = [soon.call(lambda: called.append("over")) for _ in range(1000)]
    soon.call(lambda: called.append("waits"))
    for moment in over:
        moment.over()
    await asyncio.sleep(0.06)
    assert called == ["waits"]
    assert not soon._waiting
    assert soon._timer is None, "nobody waits: no timer"


async def test_one_that_is_called_back_may_ask_again() -> None:
    soon, called = Soon(0.01), []
    soon.call(lambda: (called.append(1), soon.call(lambda: called.append(2))))  # type: ignore[func-returns-value]
    await asyncio.sleep(0.05)
    assert called == [1, 2]


async def test_one_that_fails_keeps_nobody_waiting() -> None:
    soon, called, loop = Soon(0.01), [], asyncio.get_running_loop()
    failed: list[str] = []
    loop.set_exception_handler(lambda _, context: failed.append(str(context["exception"])))
    soon.call(lambda: [].pop())  # type: ignore[func-returns-value]
    await asyncio.sleep(0.005)
    soon.call(lambda: called.append("waits"))
    await asyncio.sleep(0.05)
    loop.set_exception_handler(None)
    assert (called, failed) == (["waits"], ["pop from empty list"])


async def test_each_is_called_in_its_own_context() -> None:
    soon, found, who = Soon(0.01), [], contextvars.ContextVar[str]("who")
    for name in ("jane", "john"):
        who.set(name)
        soon.call(lambda: found.append(who.get()))
    who.set("nobody")
    await asyncio.sleep(0.05)
    assert found == ["jane", "john"]
