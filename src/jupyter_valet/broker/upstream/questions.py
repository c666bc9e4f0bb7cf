"""What an upstream server asks in the middle of a call.

Nothing that it asks can gate anything of ours, and nothing is answered for the person: a question
that nobody puts to them on an isolated page is declined.
"""

from __future__ import annotations

from typing import Protocol

from mcp_types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from ..audit import Audit
from ..catalogue import Call
from .settings import Server


class Asker(Protocol):
    """Puts a question to the person, out of the kernel's reach."""

    async def ask(self, server: Server, call: Call, asked: ElicitRequestParams) -> ElicitResult:
        """Return the person's answer; raise what ends the call until they have answered."""


class Questions:
    """Answers by whoever can ask about that kind of question; declines otherwise."""

    def __init__(self, audit: Audit, *, form: Asker | None = None, url: Asker | None = None):
        self._audit = audit
        self.form = form
        self.url = url

    async def answer(self, server: Server, call: Call, asked: ElicitRequestParams) -> ElicitResult:
        """Return the answer to `asked` (EC-03: a question without a mode is a form)."""
        visits = asked.mode == "url" and isinstance(asked, ElicitRequestURLParams)
        asker = self.url if visits else self.form
        answer = ElicitResult(action="decline")
        if asker is not None:
            answer = await asker.ask(server, call, asked)
        self._audit.record(
            "upstream.asked",
            principal=call.caller.principal,
            provider=server.name,
            tool=call.tool.name,
            kernel=call.caller.kernel_id,
            notebook=call.caller.notebook,
            outcome=answer.action,
            reason="url" if visits else "form",
        )
        return answer
