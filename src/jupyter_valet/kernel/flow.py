"""The way of one call, as a generator of steps: what to send, what to wait for, when to give up.

`step = next(flow)`; whoever drives it does the I/O and sends the outcome back in, or throws the
exception in. So one piece of logic serves synchronous cells, `await` and tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from ..wire import routes
from ..wire.errors import ValetError
from ..wire.views import Kind, TransactionState, TransactionView
from ..wire.views import question as in_words
from . import mcp
from .cards.links import examine
from .transport import Lost

T = TypeVar("T")

ROUNDS = 12
"""Legs of one call before it is given up: more means that the two talk past each other."""

AGAIN_SECONDS = 600.0
"""How long an expired card offers *Try again* before the cell ends."""

_UNATTENDED: dict[str, str] = {
    Kind.GRANT: "unattended_grant",
    Kind.APPROVAL: "unattended_approval",
}

_TRANSACTION_URL = re.compile(rf"/{routes.PAGE_CONNECT}/([A-Za-z0-9_-]{{16,128}})\Z")


class Post(NamedTuple):
    """Send an MCP request; the outcome is its result."""

    call: mcp.Call
    repeatable: bool = False


@dataclass(frozen=True)
class Look:
    """Fetch a transaction; with `after`, when it has changed. None when `until()` came first."""

    transaction: str
    after: int | None = None
    until: Callable[[], bool] | None = None


@dataclass(frozen=True)
class End:
    """Decline or cancel a transaction; the outcome is None, whatever the broker says."""

    transaction: str
    action: str


@dataclass(frozen=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


Step = Post | Look | End | Pause
Flow = Generator[Step, Any, T]


class Card(Protocol):
    """What shows a transaction to the person, and hears what the person wants."""

    def show(self, view: TransactionView) -> None:
        """Show a newer state."""

    def declined(self) -> bool:
        """Tell whether the person declined here."""

    def offer_again(self) -> bool:
        """Offer *Try again*; False where that cannot work."""

    def again(self) -> bool:
        """Tell whether the person wants to try again."""

    def leave(self) -> bool:
        """Stop waiting for it. True for the last who waited: the card is closed now."""


class Desk(Protocol):
    """Where cards are shown."""

    def attended(self) -> bool:
        """Tell whether a person is here."""

    def open(self, view: TransactionView, message: str) -> Card:
        """Show the card of a transaction."""


@dataclass(frozen=True)
class Verdict:
    """How a sign-in ended: the answer for the retried leg, and the error when it is not accept."""

    action: str
    error: ValetError | None = None
    again: bool = False


def call_tool(call: mcp.Call, desk: Desk, *, repeatable: bool = False) -> Flow[dict[str, Any]]:
    """Call a tool, have the person sign in where it asks for that, and return its result.

    Raises `ValetError`. Rules: MC-01 to MC-05.
    """
    answers: dict[str, Any] = {}
    failed: ValetError | None = None
    for _ in range(ROUNDS):
        reply = yield from _leg(call, answers, repeatable, failed)
        if reply is None:
            answers = {}
            continue
        if reply.get("resultType", "complete") == "complete":
            if failed is not None and reply.get("isError"):
                raise failed
            return reply
        if failed is not None:
            raise failed
        answers, failed = yield from _answers(reply, desk)
    raise ValetError("protocol_error", what="it asked again and again")


def _leg(
    call: mcp.Call, answers: Mapping[str, Any], repeatable: bool, failed: ValetError | None
) -> Flow[dict[str, Any] | None]:
    """Do one leg. None means: begin anew, without state."""
    leg = call._replace(params={**call.params, **answers}) if answers else call
    try:
        reply: dict[str, Any] = yield Post(leg, repeatable and not answers)
    except mcp.StateRefused:
        if failed is not None:
            raise failed from None
        if not answers:
            raise ValetError("protocol_error", what="it refuses a state it never got") from None
        return None  # it did not run: the state had run out
    except Lost as lost:
        if failed is not None:
            raise failed from None
        if answers and repeatable:
            return None  # the state may be used up, but the tool only reads
        raise ValetError("broker_unreachable") from lost
    except ValetError:
        if failed is not None:
            raise failed from None
        raise
    return reply


def _answers(
    reply: Mapping[str, Any], desk: Desk
) -> Flow[tuple[dict[str, Any], ValetError | None]]:
    """Answer every question (MC-01), echo the state as it is (MC-02)."""
    found: dict[str, Any] = {}
    failed: ValetError | None = None
    asked = mcp.questions(reply)
    responses = {}
    for question in asked:
        verdict = yield from ask(question, desk)
        if verdict.again:
            return {}, None
        responses[question.key] = {"action": verdict.action}  # EC-21: never content
        failed = failed or verdict.error
    if asked:
        found["inputResponses"] = responses
    else:
        yield Pause(0.25)
    if "requestState" in reply:
        found["requestState"] = reply["requestState"]
    return found, failed


def ask(question: mcp.Question, desk: Desk) -> Flow[Verdict]:
    """Show the card of one elicitation until its transaction is final."""
    match = _TRANSACTION_URL.search(question.url)
    if match is None:
        raise ValetError("protocol_error", what="it asks to open a page that is not its own")
    view: TransactionView = yield Look(match[1])
    if view.url != question.url or view.id != match[1]:
        yield End(match[1], "cancel")
        raise ValetError("protocol_error", what="two URLs of one sign-in differ")
    return (yield from wait(view, question.message, desk))


def wait(view: TransactionView, message: str, desk: Desk) -> Flow[Verdict]:
    """Wait until the transaction is final; Interrupt and cancellation end it at the broker."""
    if not _final(view) and not desk.attended():
        yield End(view.id, "cancel")
        code = _UNATTENDED.get(view.kind, "unattended")
        raise ValetError(code, provider=view.provider, name=view.provider)
    if not _final(view) and (refusal := examine(view.url).refusal):
        yield End(view.id, "cancel")
        what = f"its link must not be opened, because {refusal}"
        raise ValetError("sign_in_failed", provider=view.provider, what=what)
    try:
        card = desk.open(view, message)
    except BaseException:
        yield End(view.id, "cancel")
        raise
    try:
        while not _final(view):
            view = yield from _next(view, card)
            card.show(view)
        if view.state == TransactionState.EXPIRED and (yield from _wanted_again(card)):
            card.leave()
            return Verdict("cancel", again=True)
    except (GeneratorExit, ValetError, Lost):
        card.leave()  # the broker's trouble, or its end, is no word of the person's
        raise
    except BaseException:
        if card.leave() and not _final(view):
            yield End(view.id, "cancel")
        raise
    card.leave()
    return verdict(view)


def _next(view: TransactionView, card: Card) -> Flow[TransactionView]:
    seen: TransactionView | None = yield Look(view.id, view.revision, card.declined)
    if seen is None:
        yield End(view.id, "decline")
        seen = yield Look(view.id)
    return seen


def _wanted_again(card: Card) -> Flow[bool]:
    """Leave the person some time to press *Try again*, where there is such a button."""
    if card.offer_again():
        for _ in range(int(AGAIN_SECONDS / 0.2)):
            if card.again():
                return True
            yield Pause(0.2)
    return False


def verdict(view: TransactionView) -> Verdict:
    """Return what a final transaction means for the call that waits for it."""
    title = view.provider_title or view.provider
    asked = in_words(view.kind, title)
    match view.state:
        case TransactionState.DONE:
            return Verdict("accept")
        case TransactionState.DECLINED:
            return Verdict("decline", ValetError("declined", question=asked))
        case TransactionState.EXPIRED:
            return Verdict("cancel", ValetError("expired", question=asked))
        case TransactionState.FAILED:
            what = view.error.rstrip(".") or "the provider gave no reason"
            return Verdict("cancel", ValetError("sign_in_failed", provider=title, what=what))
        case _:
            return Verdict("cancel", ValetError("cancelled", question=asked))


def _final(view: TransactionView) -> bool:
    """Tell whether the transaction is over; a state that a newer broker invented counts as over."""
    try:
        return TransactionState(view.state).final
    except ValueError:
        return True
