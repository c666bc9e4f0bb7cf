"""Fetches the calls of this kernel's functions and runs each in a thread of its own.

The kernel's main thread takes no part, so a tool answers while a cell runs; nothing here ever waits
for it, either.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...wire.errors import ValetError
from ...wire.functions import POLL_SECONDS, FunctionCall, Report
from ..plain_text import one_line
from ..session import Session
from .tool import Cancelled, Progress, ToolError, ToolFunction
from .values import NotJson, answer

_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between attempts while the broker is away."""

_REFUSALS = ("bad_function", "unknown_provider", "bad_request")
_MOST_FAILURES = 20
_HERE = os.path.dirname(__file__)  # noqa: PTH120 - a prefix of code objects' file names
_PROGRESS_SECONDS = 0.2
"""Reports of progress that come faster than this are dropped: only the latest matters."""


@dataclass(frozen=True)
class Failure:
    """What went wrong in a function, for the person alone."""

    name: str
    at: float
    """Seconds since the epoch."""
    traceback: str


class Runner:
    """The functions of this kernel that are tools."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._functions: dict[str, ToolFunction] = {}
        self._running: dict[str, _Run] = {}
        self._declared = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self.failures: collections.deque[Failure] = collections.deque(maxlen=_MOST_FAILURES)

    @property
    def functions(self) -> dict[str, ToolFunction]:
        """The functions that are declared, by their full names."""
        return dict(self._functions)

    def add(self, function: ToolFunction) -> None:
        """Declare a function; one of the same name gives way to it.

        Raises `ValetError` when the broker refuses it. A broker that is away is asked again later.
        """
        before = self._functions.get(function.full_name)
        self._functions[function.full_name] = function
        try:
            self._declare(quick=True)
        except ValetError as error:
            if error.code not in _REFUSALS:
                self._declared = False
            else:
                self._functions.pop(function.full_name)
                if before is not None:
                    self._functions[function.full_name] = before
                raise
        self._start()

    def remove(self, name: str) -> None:
        """Withdraw a function; raises `KeyError` when there is none of that full name."""
        del self._functions[name]
        self._declared = False
        with contextlib.suppress(ValetError):
            self._declare(quick=True)

    def _declare(self, *, quick: bool = False) -> None:
        declarations = [f.declaration() for f in self._functions.values()]
        self._session.declare(declarations, quick=quick)
        self._declared = True

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="jupyter-valet functions", daemon=True
                )
                self._thread.start()

    def _serve(self) -> None:
        attempts = 0
        while os.getpid() == self._pid:
            try:
                if not self._declared:
                    self._declare()
                found = self._session.function_calls(POLL_SECONDS)
            except ValetError:
                time.sleep(_PAUSES[min(attempts, len(_PAUSES) - 1)])
                attempts += 1
                continue
            attempts = 0
            self._declared = self._declared and found.known
            for id in found.cancelled:
                if (run := self._running.get(id)) is not None:
                    run.cancel()
            for call in found.calls:
                self._begin(call)

    def _begin(self, call: FunctionCall) -> None:
        function = self._functions.get(call.name)
        if function is None:
            self._report(call.id, Report(done=True, error="it was withdrawn"))
            return
        run = self._running[call.id] = _Run(self, call, function)
        run.start()

    # For the runs ----------------------------------------------------------------------------

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of asynchronous functions, in a thread of its own."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="jupyter-valet loop", daemon=True
                ).start()
            return self._loop

    def ended(self, id: str, report: Report | None) -> None:
        """Take what a call came to; None when nobody waits for it."""
        self._running.pop(id, None)
        if report is not None:
            self._report(id, report)

    def _report(self, id: str, report: Report) -> None:
        with contextlib.suppress(ValetError):  # a broker that is away has lost the call, too
            self._session.report(id, report)

    def tell(self, id: str, report: Report) -> None:
        """Report progress."""
        self._report(id, report)

    def failed(self, name: str, error: BaseException) -> None:
        """Keep a traceback for the person, from their own code on."""
        found = error.__traceback__
        while found and found.tb_next and found.tb_frame.f_code.co_filename.startswith(_HERE):
            found = found.tb_next
        lines = traceback.format_exception(type(error), error, found)
        self.failures.append(Failure(name, time.time(), "".join(lines)))


class _Run:
    """One call under way."""

    def __init__(self, runner: Runner, call: FunctionCall, function: ToolFunction) -> None:
        self._runner, self._call, self._function = runner, call, function
        self._progress = Progress(self._tell)
        self._told = 0.0
        self._answered = threading.Lock()
        self._future: Any = None

    def start(self) -> None:
        threading.Thread(target=self._work, name=f"tool {self._call.name}", daemon=True).start()
        if self._function.wanted.timeout is not None:
            timer = threading.Timer(self._function.wanted.timeout, self._out_of_time)
            timer.daemon = True
            timer.start()

    def cancel(self) -> None:
        """Nobody waits any more: tell the function, as far as it can be told."""
        self._progress.cancel()
        if self._future is not None:
            self._future.cancel()
        self._answer(None)

    def _work(self) -> None:
        try:
            call = self._function.bound(self._call.arguments, self._progress)
            value = self._await(call) if self._function.is_async else call()
            result, content = answer(value)
            report = Report(done=True, result=result, content=content)
        except BaseException as error:
            report = Report(done=True, error=self._words(error))
        self._answer(report)

    def _await(self, call: Callable[[], Any]) -> Any:
        self._future = asyncio.run_coroutine_threadsafe(call(), self._runner.loop())
        return self._future.result()

    def _words(self, error: BaseException) -> str:
        """Return what whoever called may read: words meant for them, or the exception's type."""
        if isinstance(error, ToolError):
            return one_line(error, 400) or "it gave no reason"
        if isinstance(error, Cancelled):
            return "it was cancelled"
        self._runner.failed(self._call.name, error)
        if isinstance(error, NotJson):
            return f"it returned {error}"
        if isinstance(error, ValetError):
            return one_line(f"{error.message} {error.next}", 400)
        return f"it raised {type(error).__name__}"

    def _out_of_time(self) -> None:
        seconds = f"{self._function.wanted.timeout:g}"
        self._progress.cancel()
        if self._future is not None:
            self._future.cancel()
        self._answer(Report(done=True, error=f"it took longer than {seconds} seconds"))

    def _answer(self, report: Report | None) -> None:
        """Answer once: whichever comes first, a result, the end of time, or nobody waiting."""
        if self._answered.acquire(blocking=False):
            self._runner.ended(self._call.id, report)

    def _tell(self, done: float, total: float | None, message: str) -> None:
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS or done == total:
            self._told = now
            words = one_line(message, 200)
            self._runner.tell(
                self._call.id, Report(False, progress=done, total=total, message=words)
            )


_runners: dict[Session, Runner] = {}


def runner(session: Session) -> Runner:
    """Return the runner of `session`; a forked child gets one of its own, without functions."""
    known = _runners.get(session)
    if known is None or known._pid != os.getpid():
        known = _runners[session] = Runner(session)
    return known
