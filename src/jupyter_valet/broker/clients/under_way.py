"""Requests of clients that are being served: they end when what let them in is good no more.

A stream may last for hours. So who came in is asked for again: when the vault was written, by
whatever process, when the credential's time is over, and now and then besides.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ...wire.clients import Arrival
from ...wire.errors import ValetError
from ..control import describe
from ..kernels import Caller
from ..refusal import Refusal, refuse

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the vault is asked whether it was written, while something is under way."""

AGAIN_SECONDS = 30.0
"""After how long a client is judged anew in any case: what an issuer revoked shows in no vault."""

BELIEVED_SECONDS = 3600.0
"""How long the server's word for a Jupyter token holds: it was judged when the request came, and
nobody tells when such a token is out."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Judge = Callable[[Arrival], Awaitable[Caller | Refusal]]

_GONE: Message = {"type": "http.disconnect"}


class Visit:
    """One request. To the application an ended one looks as if its client had hung up (PS-06)."""

    def __init__(self, arrival: Arrival, caller: Caller, receive: Receive, send: Send) -> None:
        self.arrival = arrival
        self.caller = caller
        self.judged_at = self._began_at = time.monotonic()
        self._receive = receive
        self._send = send
        self._ended = self._started = self._finished = False
        self._waiting: set[asyncio.Task[Any]] = set()

    @property
    def is_due(self) -> bool:
        """Whether its client must be judged again although nothing was written."""
        client = self.caller.client
        over = bool(client and client.expires_at and client.expires_at <= time.time())
        return over or time.monotonic() - self.judged_at >= AGAIN_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether what let it in cannot be judged again, and was believed for long enough."""
        told = bool(self.arrival.principal)
        return told and time.monotonic() - self._began_at >= BELIEVED_SECONDS

    def end(self) -> None:
        """Let nothing more in or out."""
        self._ended = True
        while self._waiting:
            self._waiting.pop().cancel()

    async def receive(self) -> Message:
        """Return the next message of the client; that it has gone, once it is ended."""
        task = asyncio.current_task()
        assert task is not None
        if self._ended:
            return dict(_GONE)
        self._waiting.add(task)
        try:
            return await self._receive()
        except asyncio.CancelledError:
            # As in `asyncio.timeout`: only what `end` has cancelled, and nobody else, ends here.
            if task in self._waiting or task.uncancel() > 0:
                raise
            return dict(_GONE)
        finally:
            self._waiting.discard(task)

    async def send(self, message: Message) -> None:
        """Pass a message on, unless it is ended."""
        if self._ended:
            return
        self._started = True
        await self._send(message)
        is_body = message["type"] == "http.response.body"
        self._finished = is_body and not message.get("more_body", False)

    async def close(self, refusal: Refusal) -> None:
        """Finish an answer that was ended; one that had not begun is `refusal`."""
        if self._ended and not self._started:
            await refuse(self._send, refusal)
        elif self._ended and not self._finished:
            await self._send({"type": "http.response.body", "body": b""})


class UnderWay:
    """All visits; `version` is the vault's, which shows what other processes wrote."""

    def __init__(self, judge: Judge, version: Callable[[], int]) -> None:
        self._judge = judge
        self._version = version
        self._visits: set[Visit] = set()
        self._some = anyio.Event()
        self._anew = False

    def begin(self, visit: Visit) -> None:
        """Watch over a request."""
        self._visits.add(visit)
        if not self._some.is_set():
            self._some.set()

    def over(self, visit: Visit) -> None:
        """Forget a request that has been served."""
        self._visits.discard(visit)

    def end(self, principal: str, client: str) -> None:
        """End every request of this person's client with this id."""
        whose = (principal, client)
        for visit in [v for v in self._visits if (v.caller.principal, v.caller.kernel_id) == whose]:
            visit.end()

    def again(self) -> None:
        """Judge everybody with the next look: the vault's version does not show our own writes."""
        self._anew = True

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Judge who is there again and again, until the block ends."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, tasks)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def _watch(self, tasks: TaskGroup) -> None:
        seen = -1
        while True:
            await self._some.wait()
            if not self._visits:
                self._some = anyio.Event()
                continue
            await anyio.sleep(LOOK_SECONDS)
            version = self._version_or(seen - 1)
            changed, self._anew = self._anew or version != seen, False
            for visit in self._visits:
                if visit.is_over:
                    visit.end()
                elif changed or visit.is_due:
                    visit.judged_at = time.monotonic()
                    # Not one after another: an issuer may take its time to answer.
                    tasks.start_soon(self._judge_again, visit)
            seen = version

    def _version_or(self, other: int) -> int:
        try:
            return self._version()
        except ValetError:  # a vault that cannot be read vouches for nobody
            return other

    async def _judge_again(self, visit: Visit) -> None:
        try:
            caller = await self._judge(visit.arrival)
        except Exception as error:  # whatever it was, nobody vouches for this client any more
            logger.error("a client could not be judged again: %s", describe(error))
            visit.end()
            return
        if isinstance(caller, Refusal) or _who(caller) != _who(visit.caller):
            visit.end()


def _who(caller: Caller) -> tuple[str, str, frozenset[str]]:
    """Return what must stay the same while a request lasts; with other scopes it is another."""
    scopes = caller.client.scopes if caller.client else frozenset()
    return caller.principal, caller.kernel_id, scopes
