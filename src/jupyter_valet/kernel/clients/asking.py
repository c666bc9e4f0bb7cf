"""What a client does when the person must act first: the card, the wait, and once more.

The same cards and the same waiting as for a tool; only what is sent again is an HTTP request.
"""

from __future__ import annotations

from ...wire.errors import ValetError
from ..desk import desk
from ..flow import ROUNDS, Verdict, wait
from ..shells import run, run_async
from .route import Question, Route

__all__ = ["ROUNDS", "endless", "settle", "settle_async"]


def settle(route: Route, refusal: Question | ValetError, *, again: bool) -> None:
    """Return once the request is worth sending again.

    Shows the card and waits when there is one. `again` tells whether the request can be sent a
    second time. Raises `ValetError`.
    """
    if isinstance(refusal, ValetError):
        raise refusal
    _judge(route, run(wait(refusal.view, "", desk), route.session), again=again)


async def settle_async(route: Route, refusal: Question | ValetError, *, again: bool) -> None:
    """Do the same on the running loop, which stays free."""
    if isinstance(refusal, ValetError):
        raise refusal
    verdict = await run_async(wait(refusal.view, "", desk), route.session)
    _judge(route, verdict, again=again)


def endless() -> ValetError:
    """Return the error of a broker that asks again and again."""
    return ValetError("protocol_error", what="it asked again and again")


def _judge(route: Route, verdict: Verdict, *, again: bool) -> None:
    if verdict.error is not None:
        raise verdict.error
    if not again:
        raise ValetError("send_again", provider=route.title)
