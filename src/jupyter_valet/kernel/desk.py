"""Where cards are shown, and who waits for which: one card for a transaction, however many wait."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Protocol

from ..wire.views import TransactionView
from . import attendance


class _Shown(Protocol):
    """A card as `cards.notebook` and `cards.terminal` make it."""

    def show(self, view: TransactionView) -> None:
        """Show a newer state."""

    def declined(self) -> bool:
        """Tell whether *Decline* was pressed."""

    def again(self) -> bool:
        """Tell whether *Try again* was pressed."""

    def offer_again(self) -> bool:
        """Show *Try again*; False where a click cannot arrive."""

    def close(self) -> None:
        """Leave the last word, and nothing to press."""


class Desk:
    """The desk of this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[str, Seat] = {}

    def attended(self) -> bool:
        """Tell whether a person is here."""
        return attendance.attended()

    def open(self, view: TransactionView, message: str) -> Seat:
        """Show the card of a transaction, or join the one that is shown already."""
        with self._lock:
            seat = self._open.get(view.id)
            if seat is None:
                seat = self._open[view.id] = Seat(self, view, _card(view, message))
            seat.waiting += 1
            return seat

    def leave(self, seat: Seat) -> bool:
        """Count one waiter less. The last one closes the card and gets True."""
        with self._lock:
            seat.waiting -= 1
            if seat.waiting > 0:
                return False
            self._open.pop(seat.transaction, None)
        seat.card.close()
        return True


class Seat:
    """One card and the number of calls that wait for it."""

    def __init__(self, desk: Desk, view: TransactionView, card: _Shown) -> None:
        self._desk, self.transaction, self.card = desk, view.id, card
        self.waiting = 0
        self._revision = view.revision

    def show(self, view: TransactionView) -> None:
        """Show a newer state; several waiters bring the same news."""
        if view.revision > self._revision:
            self._revision = view.revision
            self.card.show(view)

    def declined(self) -> bool:
        """Tell whether *Decline* was pressed."""
        return self.card.declined()

    def again(self) -> bool:
        """Tell whether *Try again* was pressed."""
        return self.card.again()

    def offer_again(self) -> bool:
        """Show *Try again*, where it can work: one waiter, and clicks that arrive."""
        return self.waiting == 1 and self.card.offer_again()

    def leave(self) -> bool:
        """Say that this waiter is done; True for the last one."""
        return self._desk.leave(self)


def _card(view: TransactionView, message: str) -> _Shown:
    if attendance.in_notebook():
        from .cards.notebook import NotebookCard

        with suppress(LookupError):  # a thread of the person's own that belongs to no cell
            return NotebookCard(view, message)
    from .cards.terminal import TerminalCard

    return TerminalCard(view, message)


desk = Desk()
"""The one desk of this process."""
