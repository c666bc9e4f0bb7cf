"""What a card says, as data: the same for the widget, the HTML fallback and the terminal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...wire.isolation import SHORT_OF
from ...wire.views import Kind, TransactionState, TransactionView
from ..plain_text import one_line
from .links import Link, examine

CLOSED = "Closed: the cell ended. Run it again to be asked again."


@dataclass(frozen=True)
class Words:
    """What a card says for one kind of question; `{title}` is the provider's."""

    title: str
    button: str
    then: str
    """What a yes means for the code here."""
    opened: str
    done: str
    declined: str
    to: str
    """What the page is opened for."""


_SIGN_IN = Words(
    "Sign in to {title}",
    "Sign in",
    "Code in this notebook can read with this sign-in through tools; it is not given the token.",
    "The sign-in page is open. Go on there.",
    "Signed in to {title}{who}.",
    "Declined. Nothing was shared.",
    "to sign in, or to decline",
)
_API_KEY = Words(
    "Enter a key for {title}",
    "Enter key",
    "Code in this notebook can read with this key through tools; it is not given the key.",
    "The page for the key is open. Go on there.",
    "Connected to {title}{who}.",
    "Declined. Nothing was shared.",
    "to enter the key, or to decline",
)
_USE = Words(
    "Use {title}?",
    "Look",
    "Code in this notebook can call those of its tools that only read.",
    "The page is open. Decide there.",
    "{title} may be used.",
    "Declined. Nothing was sent.",
    "to see what it is, and to allow or decline it",
)
_GRANT = Words(
    "May this notebook use {title}?",
    "Choose",
    "Code in this notebook can do what you choose there, through tools; it is not given the token.",
    "The page is open. Choose there.",
    "This notebook may use {title}{who}.",
    "Declined. This notebook may not use it.",
    "to choose, or to decline",
)
_APPROVAL = Words(
    "Send this to {title}?",
    "Review",
    "What is to be sent is shown there, before anything is sent.",
    "The page is open. Decide there.",
    "Approved for {title}{who}.",
    "Declined. Nothing was sent.",
    "to see what is to be sent, and to approve or decline it",
)
_VISIT = Words(
    "{title} wants you to open a page",
    "Look",
    "The page is shown to you with its whole address before anything is opened.",
    "The question is open. Decide there.",
    "The page of {title} was opened.",
    "Declined. Nothing was opened.",
    "to see the address, and to open it or decline",
)
_OTHER = Words(
    "A question about {title}",
    "Open",
    "What it means is said there.",
    "The page is open. Go on there.",
    "Done for {title}{who}.",
    "Declined.",
    "to answer, or to decline",
)
_WORDS: dict[str, Words] = {
    Kind.SIGN_IN: _SIGN_IN,
    Kind.API_KEY: _API_KEY,
    Kind.USE: _USE,
    Kind.GRANT: _GRANT,
    Kind.APPROVAL: _APPROVAL,
    Kind.VISIT: _VISIT,
}


@dataclass(frozen=True)
class Face:
    """A card at one moment. All text is plain: nothing in it is markup."""

    title: str
    words: Words
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
    words = _words(view)
    reason, said = one_line(view.reason), one_line(message)
    if reason in said:  # the message says why already
        reason, said = said, ""
    return Face(
        title=words.title.format(title=_provider(view)),
        words=words,
        server=one_line(view.server, 120),
        reason=reason,
        message=said,
        scopes=tuple(_scope(s.name, s.words) for s in view.scopes),
        notebook=one_line(view.client or view.notebook, 120),
        isolation=isolation_line(view.level, view.level_words),
        link=None if over else examine(view.url),
        status=status,
        tone=tone,
    )


def _words(view: TransactionView) -> Words:
    """Return the words for a question; one of a program outside is not about this notebook."""
    words = _WORDS.get(view.kind, _OTHER)
    if not view.client:
        return words
    return replace(
        words,
        title=words.title.replace("this notebook", "a program"),
        then="The answer is for that program alone. Code in this notebook gets nothing by it.",
        done=words.done.replace("This notebook", "The program"),
        declined=words.declined.replace("This notebook", "The program"),
    )


def isolation_line(level: str, words: str) -> str:
    """Return the isolation level with its words; nothing where an older broker tells none."""
    meaning, more, _ = words.partition(SHORT_OF)
    why = "; not L2+, %valet says why" if more else ""
    return f"{one_line(level, 8)}: {one_line(meaning, 300)}{why}" if level else ""


def _scope(name: str, words: str) -> str:
    name, words = one_line(name, 120), one_line(words, 200)
    return f"{words} ({name})" if words and words != name else name


def _provider(view: TransactionView) -> str:
    return one_line(view.provider_title or view.provider, 60)


def _status(view: TransactionView) -> tuple[str, str]:
    words, title, again = _words(view), _provider(view), _again(view)
    match view.state:
        case TransactionState.WAITING:
            return "Waiting for you. The link opens in a new tab.", "busy"
        case TransactionState.OPENED:
            return words.opened, "busy"
        case TransactionState.AT_PROVIDER:
            return f"You are at {title}. Finish signing in there.", "busy"
        case TransactionState.DONE:
            who = f" as {one_line(view.account, 120)}" if view.account else ""
            return words.done.format(title=title, who=who), "good"
        case TransactionState.DECLINED:
            return words.declined, "bad"
        case TransactionState.EXPIRED:
            return f"The link has expired. {again} to get a new one.", "bad"
        case TransactionState.FAILED:
            why = one_line(view.error or "the provider gave no reason").rstrip(".")
            return f"That did not work: {why}. {again} to try once more.", "bad"
        case _:
            return f"Cancelled. {again} to be asked again.", "bad"


def _again(view: TransactionView) -> str:
    return "Let the program try again" if view.client else "Run the cell again"
