"""What an upstream server asks in the middle of a call.

Nothing that it asks can gate anything of ours, and nothing is answered for the person: a question
that nobody puts to them on an isolated page is declined.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeGuard
from urllib.parse import urlsplit

from mcp_types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from ...wire.errors import ValetError
from ...wire.views import TransactionState
from ..audit import Audit
from ..catalogue import Call
from ..egress.origin import Origin
from ..elicitation import NeedsVisit, Transactions
from .holding import Held
from .schema import plain
from .settings import Server

MOST = 5
"""Pages that one call may ask to be opened."""

_LONGEST_URL = 2_000
_LONGEST_MESSAGE = 300
_SLICE = 30.0

Form = Callable[[Server, Call, ElicitRequestParams], Awaitable[ElicitResult]]
"""Puts a flat form to the person on an isolated page and returns what they sent."""


async def declined(server: Server, call: Call, asked: ElicitRequestParams) -> ElicitResult:
    """Decline a form: there is no page for it yet, and a kernel's answer would be no person's."""
    return ElicitResult(action="decline")


class Elicits(Protocol):
    """Answers what a server asks in the middle of one call."""

    async def __call__(self, asked: ElicitRequestParams) -> ElicitResult:
        """Return the person's answer."""


class Questions:
    """Puts the questions of servers to the person. `form` is how a form is put."""

    def __init__(self, audit: Audit, transactions: Transactions, form: Form = declined) -> None:
        self._audit = audit
        self._transactions = transactions
        self.form = form

    def of(self, server: Server, call: Call, held: Held) -> Elicits:
        """Return who answers in the middle of `call`, which `held` keeps meanwhile."""
        visits = 0

        async def answer(asked: ElicitRequestParams) -> ElicitResult:
            nonlocal visits
            if not _is_url(asked):
                result, kind = await self.form(server, call, asked), "form"
            else:
                visits += 1
                kind = "url"
                result = await self._visit(server, call, held, asked, visits)
            self._note(server, call, kind, result)
            return result

        return answer

    async def _visit(
        self, server: Server, call: Call, held: Held, asked: ElicitRequestURLParams, count: int
    ) -> ElicitResult:
        """Ask the person to open a page; nobody else opens or fetches it (EC-11, EC-12)."""
        if count > MOST or not may_be_opened(server, asked.url):
            return ElicitResult(action="decline")
        said = plain(" ".join(asked.message.split()), _LONGEST_MESSAGE)
        needs = NeedsVisit(
            server.name,
            f"{server.words} says: {said or 'nothing'}",
            tool=call.tool.name,
            digest=hashlib.sha256(secrets.token_bytes(32)).hexdigest(),
            target=asked.url,
        )
        state = await self._answered(call, held, needs)
        actions = {TransactionState.DONE: "accept", TransactionState.DECLINED: "decline"}
        return ElicitResult(action=actions.get(state, "cancel"))  # type: ignore[arg-type]

    async def _answered(self, call: Call, held: Held, needs: NeedsVisit) -> TransactionState:
        """Put the question and wait for its end, whoever waits with us meanwhile."""
        state = TransactionState.CANCELLED  # too many questions, or one that is forgotten
        with contextlib.suppress(ValetError):
            transaction = self._transactions.ask(call.caller, needs.question)
            held.ask(needs)
            while not transaction.state.final:
                transaction = await self._transactions.wait(
                    transaction.id, after=transaction.revision, timeout=_SLICE
                )
            state = transaction.state
        held.answered(yes=state is TransactionState.DONE)
        return state

    def _note(self, server: Server, call: Call, kind: str, result: ElicitResult) -> None:
        self._audit.record(
            "upstream.asked",
            principal=call.caller.principal,
            provider=server.name,
            tool=call.tool.name,
            kernel=call.caller.kernel_id,
            notebook=call.caller.notebook,
            outcome=result.action,
            reason=kind,
        )


def _is_url(asked: ElicitRequestParams) -> TypeGuard[ElicitRequestURLParams]:
    """Tell whether the server said that it asks for a visit.

    EC-03: what says no mode is a form, whatever else is in it. Of one with a URL in it the SDK
    reads the mode that it should have had.
    """
    return isinstance(asked, ElicitRequestURLParams) and "mode" in asked.model_fields_set


def may_be_opened(server: Server, url: str) -> bool:
    """Tell whether a person may be shown `url` as a link: https, in plain ASCII (EC-22, BP-19).

    Plain http on this machine is for servers on this machine.
    """
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return False
    parts = urlsplit(url)
    try:
        origin = Origin.parse(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return False
    return "\\" not in url and origin.loopback <= server.loopback
