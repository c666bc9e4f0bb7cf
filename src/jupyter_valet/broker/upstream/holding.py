"""Calls that go on at a server while the client is away to ask its person something.

A question in the middle of a call (`elicitation/create`, or an `InputRequiredResult`) must be put
to the person by our own client, which comes back with the same call. What has begun at the server
goes on meanwhile, and the call that comes back takes it up where it was: nothing is done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from ..catalogue import Call, ToolOutcome
from ..elicitation import Needs

UNCLAIMED_SECONDS = 120.0
"""How long the outcome of a call is kept that nobody came back for."""

_HEARD_SECONDS = 1.0

_Key = tuple[str, str, str]
Work = Callable[["Held", Call], Awaitable[ToolOutcome]]


class Held:
    """One call at a server. `needs` is what it waits for, if it waits.

    `given_up` tells that the person did not want to, so that nobody comes back for it.
    """

    def __init__(self) -> None:
        self.attended = True
        self.given_up = False
        self.needs: Needs | None = None
        self._asked = asyncio.Event()
        self._goes_on = asyncio.Event()
        self._call: Call | None = None
        self.task: asyncio.Task[ToolOutcome] | None = None

    @property
    def may_be_taken_up(self) -> bool:
        """Whether somebody may come back for it."""
        return not self.attended and not self.given_up

    def begin(self, call: Call, work: Work) -> None:
        """Start the work; its progress goes to whoever attends."""
        self._call = call
        self.task = asyncio.create_task(_outcome(work(self, replace(call, progress=self._tell))))

    def attend(self, call: Call) -> None:
        """Have another request of the client in the place of the one that asked."""
        self.attended, self._call = True, call

    async def _tell(self, done: float, total: float | None, message: str) -> None:
        if self.attended and self._call is not None:
            await self._call.progress(done, total, message)

    def ask(self, needs: Needs) -> None:
        """Hand a question to whoever attends."""
        self.needs = needs
        self._goes_on.clear()
        self._asked.set()

    def answered(self, *, yes: bool) -> None:
        """Go on."""
        self.needs = None
        self.given_up = not yes
        self._asked.clear()
        self._goes_on.set()

    async def next(self) -> ToolOutcome:
        """Return the outcome, or raise the next question and be left."""
        assert self.task is not None
        if self.needs is not None:
            # Whoever comes back has heard of the answer, perhaps before we have.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HEARD_SECONDS):
                    await self._goes_on.wait()
        asked = asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait({self.task, asked}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.task.cancel()  # the client has gone, and with it whoever wanted the answer
            raise
        finally:
            asked.cancel()
        if self.needs is not None and not self.task.done():
            self.attended = False
            raise self.needs
        return await self.task


async def _outcome(work: Awaitable[ToolOutcome]) -> ToolOutcome:
    return await work


class Holding:
    """The calls under way, by what a client that comes back says again."""

    def __init__(self, *, unclaimed: float = UNCLAIMED_SECONDS) -> None:
        self._unclaimed = unclaimed
        self._held: defaultdict[_Key, list[Held]] = defaultdict(list)

    async def run(self, call: Call, work: Work) -> ToolOutcome:
        """Run `work`, or take up the same call of this kernel that asked something.

        Raises what the work raises, and the `Needs` of a question. Two calls at once are two calls:
        only one that nobody attends to is taken up.
        """
        key = _key(call)
        held = next((one for one in self._held[key] if one.may_be_taken_up), None)
        if held is None:
            held = Held()
            self._held[key].append(held)
            held.begin(call, work)
        else:
            held.attend(call)
        try:
            return await held.next()
        except Needs:
            if held.task is not None and not held.task.done():
                held.task.add_done_callback(lambda _: self._expire(key, held))
            raise
        finally:
            if held.attended:
                self._drop(key, held)

    def _expire(self, key: _Key, held: Held) -> None:
        """Keep an outcome for a while for whoever comes back."""
        loop = asyncio.get_running_loop()
        loop.call_later(self._unclaimed, self._forget, key, held)

    def _forget(self, key: _Key, held: Held) -> None:
        if not held.attended:
            self._drop(key, held)

    def _drop(self, key: _Key, held: Held) -> None:
        if held in self._held[key]:
            self._held[key].remove(held)
        if not self._held[key]:
            del self._held[key]
        if held.task is not None and held.task.done() and not held.task.cancelled():
            held.task.exception()  # seen, though nobody may have waited

    async def close(self) -> None:
        """End all of them."""
        tasks = [held.task for several in self._held.values() for held in several if held.task]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _key(call: Call) -> _Key:
    arguments = json.dumps(dict(call.arguments), sort_keys=True)
    digest = hashlib.sha256(arguments.encode()).hexdigest()
    return call.caller.kernel_id, call.tool.name, digest
