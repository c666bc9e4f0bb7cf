"""The card where there is only text: IPython in a terminal, and plain scripts."""

from __future__ import annotations

import sys

from ...wire.views import TransactionView
from . import markup
from .face import face


class TerminalCard:
    """Prints the card once and then every new state, on the standard error stream."""

    def __init__(self, view: TransactionView, message: str) -> None:
        self._view, self._message, self._said = view, message, ""
        _say(markup.text(face(view, message)))
        self._said = face(view, message).status

    def show(self, view: TransactionView) -> None:
        """Print what changed."""
        self._view = view
        self._news(face(view, self._message).status)

    def declined(self) -> bool:
        """Return False: in a terminal, declining is done on the page or by Ctrl-C."""
        return False

    def again(self) -> bool:
        """Return False: there is no such button."""
        return False

    def offer_again(self) -> bool:
        """Return False: there is no such button."""
        return False

    def close(self) -> None:
        """Print the last word, if it was not printed yet."""
        self._news(face(self._view, self._message, closed=True).status)

    def _news(self, status: str) -> None:
        if status != self._said:
            self._said = status
            _say(status)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
