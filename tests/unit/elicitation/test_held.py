"""Calls that are held: for how long, and who is told."""

from __future__ import annotations

import anyio
import pytest

from jupyter_valet.broker.client import Client
from jupyter_valet.broker.elicitation import Held, Question, Transaction
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.wire.views import Kind

pytestmark = pytest.mark.anyio

NOW = 1000.0
CALLER = Caller("jane", "kernel-1", "work.ipynb", "http://127.0.0.1:8888/")
OTHER = Caller("jane", "kernel-2", "other.ipynb", "http://127.0.0.1:8888/")
IDE = Client("client:key:1", "My IDE", frozenset({"tools:read"}))
OUTSIDE = Caller("jane", IDE.id, "", "http://127.0.0.1:8888/", client=IDE)
QUESTION = Question(Kind.SIGN_IN, "demo", "list_issues needs it")


def transaction(ttl: float = 600.0) -> Transaction:
    return Transaction.begin(CALLER, QUESTION, now=NOW, ttl=ttl)


def held() -> Held:
    return Held(clock=lambda: NOW)


def test_a_client_that_says_nothing_is_held_as_every_client_bears() -> None:
    assert held().seconds(transaction(), None, 4.0) == 4.0


def test_a_client_that_waits_longer_is_held_longer() -> None:
    assert held().seconds(transaction(), 590.0, 4.0) == 590.0


def test_a_client_that_waits_for_nothing_is_not_held() -> None:
    assert held().seconds(transaction(), 0.0, 4.0) == 0.0


def test_a_call_gives_up_before_its_question_expires() -> None:
    """A model shall read that somebody must sign in, not that something has expired."""
    assert held().seconds(transaction(ttl=100.0), 590.0, 4.0) == 99.0
    assert held().seconds(transaction(ttl=0.5), 590.0, 4.0) == 0.0


def test_after_a_wait_in_vain_the_next_calls_are_held_shortly() -> None:
    asked, other = transaction(), transaction()
    calls = held()
    calls.in_vain(asked)
    assert calls.seconds(asked, 590.0, 4.0) == 4.0
    assert calls.seconds(asked, 2.0, 4.0) == 2.0
    assert calls.seconds(other, 590.0, 4.0) == 590.0


async def test_who_watches_a_kernel_is_told_what_its_calls_are_held_for() -> None:
    calls, asked = held(), transaction()
    revision, nothing = await calls.changed(CALLER, -1, 0)
    assert nothing == []
    told: list[tuple[int, list[str]]] = []

    async def watch() -> None:
        told.append(await calls.changed(CALLER, revision, 5))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await anyio.wait_all_tasks_blocked()
        with calls.holding(asked), calls.holding(asked):
            await anyio.wait_all_tasks_blocked()
            assert [ids for _, ids in told] == [[asked.id]]
            assert (await calls.changed(CALLER, -1, 0))[1] == [asked.id]
            assert (await calls.changed(OTHER, -1, 0))[1] == []
    assert (await calls.changed(CALLER, -1, 0))[1] == []


async def test_nothing_is_kept_of_a_kernel_that_holds_nothing() -> None:
    calls = held()
    with calls.holding(transaction()):
        await calls.changed(CALLER, -1, 0)
    assert not calls._callers


async def test_who_watches_a_kernel_without_questions_waits() -> None:
    """It must not be answered at once, or a watching kernel would ask without end."""
    calls = held()
    revision, _ = await calls.changed(CALLER, -1, 0)
    with calls.holding(transaction()):
        pass
    revision, _ = await calls.changed(CALLER, revision, 0)
    with anyio.move_on_after(0.05) as waited:
        await calls.changed(CALLER, revision, 5)
    assert waited.cancelled_caught


async def test_a_wait_without_news_ends() -> None:
    calls = held()
    with calls.holding(transaction()):
        revision, _ = await calls.changed(CALLER, -1, 0)
        with anyio.fail_after(20):
            assert (await calls.changed(CALLER, revision, 0.01))[0] == revision


async def test_what_a_client_outside_waits_for_is_shown_by_one_notebook_of_its_person() -> None:
    """The last that was opened; when it ends, the one before; and nobody else's ever."""
    calls = held()
    asked = Transaction.begin(OUTSIDE, QUESTION, now=NOW)
    stranger = Caller("joe", "kernel-3", "joe.ipynb", "http://127.0.0.1:8888/")
    console = Caller("jane", "kernel-4", "", "http://127.0.0.1:8888/")
    everybody = (CALLER, OTHER, stranger, console)
    before = [(await calls.changed(caller, -1, 0))[0] for caller in everybody]
    with calls.holding(asked):
        after = [
            await calls.changed(caller, revision, 0.05)
            for caller, revision in zip(everybody, before, strict=True)
        ]
        assert [ids for _, ids in after] == [[], [asked.id], [], []]
        assert [calls.shows(caller, asked) for caller in everybody] == [False, True, False, False]
        calls.ended(OTHER.kernel_id)
        revision, ids = await calls.changed(CALLER, after[0][0], 5)
        assert ids == [asked.id]
    assert (await calls.changed(CALLER, revision, 5))[1] == []


async def test_a_notebook_that_does_not_ask_any_more_shows_nothing() -> None:
    now = [NOW]
    calls = Held(clock=lambda: now[0])
    asked = Transaction.begin(OUTSIDE, QUESTION, now=NOW)
    with calls.holding(asked):
        await calls.changed(CALLER, -1, 0)
        await calls.changed(OTHER, -1, 0)
        now[0] += 60
        assert (await calls.changed(CALLER, -1, 0))[1] == [asked.id]
        assert not calls.shows(OTHER, asked)


def test_a_kernel_shows_no_other_kernels_question() -> None:
    assert not held().shows(OTHER, transaction())
