"""The one place that turns "this call needs the person" into what the client at hand understands.

=============  ======================  ====================================================
revision       declares elicitation    what happens
=============  ======================  ====================================================
2026-07-28     `url`                   `InputRequiredResult`; the client retries the call
2025-11-25     `url`                   `elicitation/create`, wait, `elicitation/complete`
either         no `url`                a hold, then an error text for the model
=============  ======================  ====================================================

The hold is as long as the client said that it waits (`wire.held.PATIENCE`), as the snippets of
`tools.mcp` do, and short for every other. Meanwhile the kernel that called can show the card.

The other revision's form is never sent: clients fail hard on it, and -32042 is forbidden on
2026-07-28 (ES-11, ES-12). Nobody gets it on 2025-11-25 either: no agent framework shows it to the
person, and some put its URL into the model's context. -32021 (ES-13) is for what *needs* an
undeclared capability. Our tools do not: a person can sign in beforehand, or during the hold, with
`%connect`, and finds what waits on the connections page, so a client without `url` gets a result
that it can act on.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    ElicitRequest,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)
from msgspec import Struct, field

from ...wire.errors import ValetError
from ...wire.mcp import META_WHOLE
from ...wire.routes import LONG_POLL_SECONDS
from ...wire.views import Kind
from ...wire.views import question as in_words
from ..calls import Calls
from ..catalogue import ToolOutcome, Wish
from ..elicitation import Needs, Transaction, Transactions
from ..oauth import Profile
from ..vault import Vault
from .exchange import CallParams, Exchange
from .results import failure
from .state import CallState, redeem, refused

HOLD = 4.0
"""Seconds a call of a client that cannot ask is held when it does not say that it waits longer:
the strictest framework gives up after 5."""

KEY = "connect"
"""The name of our question in `inputRequests` (MS-02)."""

_SLICE = 1.0
"""Seconds between two progress notifications, which keep a client's timeout from firing."""

Result = CallToolResult | InputRequiredResult
Came = ToolOutcome | Result
"""What a request comes to: a tool's outcome is not yet in the words of a dispatcher."""


@dataclass(frozen=True)
class Asking:
    """What is needed to ask, and how patiently."""

    calls: Calls
    transactions: Transactions
    vault: Vault
    profiles: Mapping[str, Profile]
    hold: float = HOLD
    poll: float = LONG_POLL_SECONDS

    def title(self, provider: str) -> str:
        """Return what people know a provider by: its name, where it was removed meanwhile."""
        profile = self.profiles.get(provider)
        return profile.title if profile else provider


async def call_tool(asking: Asking, exchange: Exchange, params: CallParams) -> Came:
    """Answer one `tools/call`, asking the person on the way when that is needed.

    Raises `UnknownTool`, `Gone` when the client went, and `MCPError` for what is no answer of ours.
    """
    return await _Leg(asking, exchange, params).run()


class _Leg(Struct):
    """One request of a call: the only one, or one of several (2026-07-28)."""

    asking: Asking
    exchange: Exchange
    params: CallParams
    asked: dict[str, list[str]] = field(default_factory=dict)

    async def run(self) -> Came:
        try:
            if self.exchange.modern and self.params.request_state is not None:
                pending = await self._resume(CallState.parse(self.params.request_state))
                if pending is not None:
                    return pending
            return await self._call()
        except ValetError as error:
            return failure(error)

    # The call --------------------------------------------------------------------------------

    async def _call(self) -> Came:
        while True:
            # What comes now may have an effect: only for a client that is still there.
            self.exchange.check()
            try:
                outcome = await self.asking.calls.call(
                    self.exchange.caller,
                    self.params.name,
                    self.params.arguments or {},
                    self.exchange.progress,
                    self._wish,
                )
            except Needs as needs:
                question = await self._ask(needs)
                if question is not None:
                    return question
                await asyncio.sleep(0)  # a client that went meanwhile is heard of now
            else:
                return outcome

    @property
    def _wish(self) -> Wish:
        return Wish(whole=dict(self.params.meta or {}).get(META_WHOLE) is True)

    async def _ask(self, needs: Needs) -> InputRequiredResult | None:
        """Ask in the form the client knows; None when the person has already given it.

        Raises `ValetError` with which the call ends.
        """
        self._note(needs)
        transaction = self.asking.transactions.ask(self.exchange.caller, needs.question)
        if self.exchange.modern and self.exchange.url:
            return self._question(transaction, CallState(transaction.id, self.asked))
        if self.exchange.url and self.exchange.can_push:
            transaction = await self._push(transaction)
        else:
            transaction = await self._hold(transaction)
        if not transaction.state.final:
            raise self._required(transaction)
        self._end(transaction)
        return None

    async def _hold(self, transaction: Transaction) -> Transaction:
        """Wait while somebody else shows the question, as long as the client bears it."""
        held = self.asking.transactions.held
        seconds = held.seconds(transaction, self.exchange.waits, self.asking.hold)
        with held.holding(transaction):
            transaction = await self._wait(transaction, seconds)
        if not transaction.state.final and seconds > self.asking.hold:
            held.in_vain(transaction)
        return transaction

    def _note(self, needs: Needs) -> None:
        """Remember what is asked for; refuse to ask for the same twice in one call (L17)."""
        question = needs.question
        before = self.asked.get(question.about)
        if before is not None and question.things <= set(before):
            raise needs.again(self.asking.title(question.provider))
        self.asked[question.about] = sorted({*(before or ()), *question.things})

    def _required(self, transaction: Transaction) -> ValetError:
        """Return the error of a call that could not wait any longer."""
        title = self.asking.title(transaction.provider)
        if self.exchange.caller.client is not None:  # it has no cell, and no %connect
            return ValetError("answer_required", question=in_words(transaction.kind, title))
        match transaction.kind:
            case Kind.GRANT:
                return ValetError("grant_required", provider=title, name=transaction.provider)
            case Kind.APPROVAL:
                return ValetError("approval_required", provider=title)
        return ValetError("authorization_required", provider=transaction.provider)

    def _end(self, transaction: Transaction) -> None:
        """Raise the error of a sign-in that ended in any way but well (ES-14)."""
        title = self.asking.title(transaction.provider)
        error = transaction.outcome(title)
        if error is not None:
            raise error

    # 2026-07-28 ------------------------------------------------------------------------------

    def _question(self, transaction: Transaction, state: CallState) -> InputRequiredResult:
        params = ElicitRequestURLParams(message=self._message(transaction), url=transaction.url)
        return InputRequiredResult(
            input_requests={KEY: ElicitRequest(params=params)}, request_state=str(state)
        )

    async def _resume(self, state: CallState) -> Result | None:
        """Take up a call that was waiting; None when it may go on now.

        Raises `ValetError` when the sign-in did not come about, `MCPError` for a bad state.
        """
        self.asked = state.asked
        transaction = self._own(state.transaction)
        answer = self._answer()
        if answer is not None and answer.action != "accept":
            self.asking.transactions.end(transaction.id, answer.action)
            title = self.asking.title(transaction.provider)
            code = "declined" if answer.action == "decline" else "cancelled"
            raise ValetError(code, question=in_words(transaction.kind, title))
        if answer is not None:
            state = state.once_accepted()
        if not state.accepted and not transaction.state.final:
            return self._question(transaction, state)  # no answer yet: ask again (MS-10)
        transaction = await self._wait(transaction, self.asking.poll)
        if not transaction.state.final:
            return InputRequiredResult(request_state=str(state))
        self._end(transaction)
        await anyio.lowlevel.checkpoint()
        self.exchange.check()
        redeem(self.asking.vault, state, transaction.expires_at)
        return None

    def _own(self, transaction_id: str) -> Transaction:
        """Return the caller's transaction; the seal binds it already, and here it is checked."""
        transaction = self.asking.transactions.get(transaction_id)
        if transaction is None:
            raise refused()
        if (transaction.principal, transaction.kernel_id) != (
            self.exchange.caller.principal,
            self.exchange.caller.kernel_id,
        ):
            raise refused()
        return transaction

    def _answer(self) -> ElicitResult | None:
        """Return the client's answer to our question; other keys are ignored (MS-09)."""
        answer = (self.params.input_responses or {}).get(KEY)
        if answer is not None and not isinstance(answer, ElicitResult):
            raise MCPError(code=INVALID_PARAMS, message="The answer does not fit the question")
        return answer

    # 2025-11-25 ------------------------------------------------------------------------------

    async def _push(self, transaction: Transaction) -> Transaction:
        """Ask with `elicitation/create`, in association with this request (ES-33), and wait.

        The answer does not end the wait, the sign-in does: another card may finish it first, and
        then the question is withdrawn.
        """
        elicitation = secrets.token_urlsafe(16)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._put, transaction, elicitation)
            life = max(transaction.expires_at - transaction.created_at, 0.0)
            transaction = await self._wait(transaction, life)
            tasks.cancel_scope.cancel()
        await self.exchange.pushed(elicitation)
        return transaction

    async def _put(self, transaction: Transaction, elicitation: str) -> None:
        try:
            action = await self.exchange.push(
                self._message(transaction), transaction.url, elicitation
            )
        except MCPError:
            action = "cancel"  # a client that fails has not asked anybody (ES-14)
        if action != "accept":
            self.asking.transactions.end(transaction.id, action)

    # Both ------------------------------------------------------------------------------------

    async def _wait(self, transaction: Transaction, seconds: float) -> Transaction:
        """Wait for the sign-in to end, at most `seconds`. Raises `Gone` when the client went."""
        deadline = anyio.current_time() + seconds
        title = self.asking.title(transaction.provider)
        told = 0.0
        while not transaction.state.final:
            left = deadline - anyio.current_time()
            if left <= 0:
                return transaction
            told += 1
            await self.exchange.progress(told, None, f"Waiting for {title}")
            transaction = await self.asking.transactions.wait(
                transaction.id, after=transaction.revision, timeout=min(left, _SLICE)
            )
            self.exchange.check()
        return transaction

    def _message(self, transaction: Transaction) -> str:
        title = self.asking.title(transaction.provider)
        who = "this program" if transaction.client else "this notebook"
        asks = _MESSAGES[transaction.kind].format(title=title, who=who)
        return f"{asks} {transaction.reason}"


_MESSAGES = {
    Kind.SIGN_IN: "Sign in at {title}.",
    Kind.API_KEY: "Enter a key for {title}.",
    Kind.USE: "May {title} be used?",
    Kind.GRANT: "May {who} use {title}?",
    Kind.APPROVAL: "May this be written to {title}?",
    Kind.VISIT: "{title} wants you to open a page of its own.",
}
