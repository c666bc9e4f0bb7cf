"""The two shells around a flow: one blocks, one awaits. They do the I/O and nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from .flow import End, Flow, Pause, Step
from .session import Session
from .transport import Stop

T = TypeVar("T")

_GOODBYE_SECONDS = 5.0
HEARTBEAT_SECONDS = 0.25
"""How long a loop in which a cell waits may sleep: an interrupt does not wake it."""


class Interrupted(KeyboardInterrupt):
    """An interrupt that has been tidied up after: one line in a notebook, not a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Show one line (IPython's hook)."""
        return [f"KeyboardInterrupt: {self}"]


def run(flow: Flow[T], session: Session) -> T:
    """Drive `flow` in this thread. `KeyboardInterrupt` reaches the flow, which tidies up.

    Raises `Interrupted` after that, besides what the flow raises.
    """
    try:
        return _drive(flow, session)
    except KeyboardInterrupt:
        raise Interrupted("Given up, nothing is pending. Run the cell to start over.") from None


def _drive(flow: Flow[T], session: Session) -> T:
    outcome: Any = None
    failure: BaseException | None = None
    try:
        while True:
            try:
                step = flow.send(outcome) if failure is None else flow.throw(failure)
            except StopIteration as finished:
                return finished.value  # type: ignore[no-any-return]
            outcome, failure = None, None
            try:
                outcome = session.perform(step)
            except BaseException as error:
                failure = error
    finally:
        flow.close()


async def run_async(flow: Flow[T], session: Session) -> T:
    """Drive `flow` on the running loop, which stays free; the cards are drawn on its thread."""
    outcome: Any = None
    failure: BaseException | None = None
    try:
        while True:
            try:
                step = flow.send(outcome) if failure is None else flow.throw(failure)
            except StopIteration as finished:
                return finished.value  # type: ignore[no-any-return]
            outcome, failure = None, None
            try:
                outcome = await _perform(session, step)
            except BaseException as error:
                failure = error
    finally:
        flow.close()


async def _perform(session: Session, step: Step) -> Any:
    if isinstance(step, Pause):
        return await asyncio.sleep(step.seconds)
    work = in_thread(lambda stop: session.perform(step, stop))
    if isinstance(step, End):  # saying goodbye must survive the cancellation that caused it
        async with asyncio.timeout(_GOODBYE_SECONDS):
            return await work
    return await work


async def in_thread(work: Callable[[Stop], T]) -> T:
    """Run blocking `work` in a thread of its own; cancelling the task makes its `stop()` true.

    Not the loop's executor: long polls would fill it, and its threads hold up the interpreter's
    end, while these are daemons.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    cancelled = threading.Event()

    def body() -> None:
        outcome: Any = None
        failure: BaseException | None = None
        try:
            outcome = work(cancelled.is_set)
        except BaseException as error:
            failure = error
        try:
            loop.call_soon_threadsafe(_settle, future, outcome, failure)
        except RuntimeError:  # the loop was closed: nobody waits any more
            return

    threading.Thread(target=body, name="jupyter-valet", daemon=True).start()
    try:
        while not future.done():
            # ipykernel's Interrupt cancels the cell's task from a signal handler, which does not
            # wake a loop that sleeps; so it must not sleep for long.
            await asyncio.wait({future}, timeout=HEARTBEAT_SECONDS)
        return future.result()
    finally:
        cancelled.set()
        future.cancel()  # nobody waits for what the thread still says


def _settle(future: asyncio.Future[Any], outcome: Any, failure: BaseException | None) -> None:
    if future.cancelled():
        return
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(outcome)
