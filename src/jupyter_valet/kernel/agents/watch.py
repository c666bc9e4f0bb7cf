"""Shows in the running cell, or below the last one, what calls of an agent wait for.

An agent's framework talks to the endpoint by itself, so nothing in this kernel hears that a call
is held. A thread asks the broker; it is told of this kernel's calls, and in one open notebook of
the person also of those that programs outside of the notebooks make.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from contextlib import suppress
from typing import Any

from ...wire.errors import ValetError
from ...wire.routes import LONG_POLL_SECONDS
from ...wire.views import TransactionView
from .. import attendance
from ..desk import desk
from ..flow import wait
from ..session import Session
from ..shells import HEARTBEAT_SECONDS, run
from ..transport import Stopped

_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between attempts while the broker is away."""


class Watch:
    """The thread that asks, the cards that it shows, and the cell that they belong to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shown: dict[str, TransactionView] = {}
        self._lock = threading.Lock()
        self._cell, self._loop = contextvars.copy_context(), _loop()
        self._stopped = threading.Event()
        self.pid = os.getpid()

    def start(self) -> None:
        """Begin to watch. The cards go to the cell that runs, in a notebook."""
        if attendance.in_notebook():
            events = attendance.shell().events
            events.register("pre_run_cell", self._begun)
            events.register("post_run_cell", self._ended)
        threading.Thread(target=self._watch, name="jupyter-valet agents", daemon=True).start()

    def stop(self) -> None:
        """Stop watching. A card that is shown stays until its question is answered."""
        self._stopped.set()
        if attendance.in_notebook():
            events = attendance.shell().events
            for name, callback in (("pre_run_cell", self._begun), ("post_run_cell", self._ended)):
                with suppress(ValueError):
                    events.unregister(name, callback)

    def _watch(self) -> None:
        revision, attempts = -1, 0
        while os.getpid() == self.pid and not self._stopped.is_set():
            try:
                held = self._session.held(revision, LONG_POLL_SECONDS, self._stopped.is_set)
            except Stopped:
                return
            except ValetError:
                self._stopped.wait(_PAUSES[min(attempts, len(_PAUSES) - 1)])
                attempts += 1
                continue
            revision, attempts = held.revision, 0
            for view in held.questions:
                self._show(view)

    def _show(self, view: TransactionView) -> None:
        """Show a card that is not shown yet, where somebody is there to see it."""
        with self._lock:
            if view.id in self._shown or not desk.attended():
                return
            self._shown[view.id] = view
            cell, loop = self._cell.copy(), self._loop
        work = threading.Thread(
            target=cell.run, args=(self._wait, view, loop), name="jupyter-valet card", daemon=True
        )
        work.start()

    def _wait(self, view: TransactionView, loop: asyncio.AbstractEventLoop | None) -> None:
        over = threading.Event()
        if loop is not None:
            threading.Thread(target=_stir, args=(loop, over), daemon=True).start()
        try:
            with suppress(ValetError):  # the call that waits is told the same
                run(wait(view, "", desk), self._session)
        finally:
            over.set()
            with self._lock:
                self._shown.pop(view.id, None)

    # Called by IPython -------------------------------------------------------------------------

    def _begun(self, _info: Any = None) -> None:
        """Note where the output of the cell goes that begins now."""
        with self._lock:
            self._cell, self._loop = contextvars.copy_context(), _loop()

    def _ended(self, result: Any = None) -> None:
        """Give up what an interrupted cell was asking for; after any other the card stays."""
        error = getattr(result, "error_in_exec", None)
        if not isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
            return
        with self._lock:
            given_up = [id for id, view in self._shown.items() if not view.client]
        for transaction in given_up:
            self._session.end_transaction(transaction, "cancel")


def _loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs cells, when it is the one that runs here."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _stir(loop: asyncio.AbstractEventLoop, over: threading.Event) -> None:
    """Wake the loop of a waiting cell now and then, until it is `over`.

    ipykernel's Interrupt cancels the cell's task from a signal handler, which wakes no loop; what
    the framework waits for may be silent for as long as the endpoint's pings are apart.
    """
    with suppress(RuntimeError):  # the loop was closed
        while not over.wait(HEARTBEAT_SECONDS):
            loop.call_soon_threadsafe(_nothing)


def _nothing() -> None:
    """Do it."""


_watches: dict[Session, Watch] = {}
_starting = threading.Lock()


def start(session: Session) -> None:
    """Watch for `session`, once in a process; a forked child watches for itself."""
    with _starting:
        known = _watches.get(session)
        if known is None or known.pid != os.getpid():
            known = _watches[session] = Watch(session)
            known.start()


def stop() -> None:
    """Stop all watches of this process."""
    with _starting:
        for watch in _watches.values():
            watch.stop()
        _watches.clear()
