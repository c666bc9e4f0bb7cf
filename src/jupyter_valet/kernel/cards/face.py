"""What a card says, as data: the same for the widget, the HTML fallback and the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from ...wire.views import TransactionState, TransactionView
from ..plain_text import one_line
from .links import Link, examine

CLOSED = "Closed: the cell ended. Run it again to be asked again."


@dataclass(frozen=True)
class Face:
    """A card at one moment. All text is plain: nothing in it is markup."""

    title: str
    server: str
    reason: str
    message: str
    scopes: tuple[str, ...]
    notebook: str
    isolation: str
    """The level that the broker found for this kernel, and its words, in one line."""
    link: Link | None
    """None as soon as there is nothing to open any more."""
    status: str
    tone: str
    """`busy`, `good` or `bad`."""

    @property
    def live(self) -> bool:
        """Whether the person can still act."""
        return self.link is not None


def face(view: TransactionView, message: str = "", *, closed: bool = False) -> Face:
    """Return what the card of `view` says; `closed` when the cell no longer waits for it."""
    status, tone = _status(view)
    over = tone != "busy"
    if closed and not over:
        status, tone, over = CLOSED, "bad", True
    title = one_line(view.provider_title or view.provider, 60)
    reason, said = one_line(view.reason), one_line(message)
    if reason in said:  # the message says why already
        reason, said = said, ""
    return Face(
        title=f"Sign in to {title}",
        server=one_line(view.server, 120),
        reason=reason,
        message=said,
        scopes=tuple(_scope(s.name, s.words) for s in view.scopes),
        notebook=one_line(view.notebook, 120),
        isolation=isolation_line(view.level, view.level_words),
        link=None if over else examine(view.url),
        status=status,
        tone=tone,
    )


def isolation_line(level: str, words: str) -> str:
    """Return the isolation level with its words; nothing where an older broker tells none."""
    return f"{one_line(level, 8)}: {one_line(words, 300)}" if level else ""


def _scope(name: str, words: str) -> str:
    name, words = one_line(name, 120), one_line(words, 200)
    return f"{words} ({name})" if words and words != name else name


def _status(view: TransactionView) -> tuple[str, str]:
    title = one_line(view.provider_title or view.provider, 60)
    match view.state:
        case TransactionState.WAITING:
            return "Waiting for you. The link opens in a new tab.", "busy"
        case TransactionState.OPENED:
            return "The sign-in page is open. Go on there.", "busy"
        case TransactionState.AT_PROVIDER:
            return f"You are at {title}. Finish signing in there.", "busy"
        case TransactionState.DONE:
            who = f" as {one_line(view.account, 120)}" if view.account else ""
            return f"Signed in to {title}{who}.", "good"
        case TransactionState.DECLINED:
            return "Declined. Nothing was shared.", "bad"
        case TransactionState.EXPIRED:
            return "The link has expired. Run the cell again to get a new one.", "bad"
        case TransactionState.FAILED:
            why = one_line(view.error or "the provider gave no reason").rstrip(".")
            return f"That did not work: {why}. Run the cell again to try once more.", "bad"
        case _:
            return "Cancelled. Run the cell again to be asked again.", "bad"
