"""One request of a notebook's HTTP client: taken apart, made anew, its answer passed on."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from ...wire import egress as wire
from ...wire.errors import ValetError
from ...wire.routes import PAGE_CONNECTIONS
from ..authorized import NO_SCOPE_HEADERS, Authorized, ScopeHeaders
from ..control import describe
from ..egress import Request
from ..elicitation import Needs, NeedsApproval, Question
from ..http import OWN_PACE
from ..kernels import Caller
from ..oauth import Profile
from ..policy.access import Use
from ..policy.reading import access_of
from .address import Address, address, facts_of
from .answering import Answering
from .headers import outgoing
from .limits import ForwardLimits
from .misdirected import Misdirected
from .questions import Asked, Questions
from .upload import ClientGone, Upload

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_LONGEST_TOOL = 300


@dataclass
class Forward:
    """The requests of all kernels. `scope_headers` are those of providers that tell scopes so."""

    authorized: Authorized
    profiles: Mapping[str, Profile]
    questions: Questions
    limits: ForwardLimits = field(default_factory=ForwardLimits)
    scope_headers: Mapping[str, ScopeHeaders] = field(default_factory=dict)
    _under_way: Counter[str] = field(default_factory=Counter)

    async def __call__(self, caller: Caller, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request of `caller`, who has shown a capability."""
        exchange = _Exchange(self, caller, scope, receive, send)
        try:
            with self._one_more(caller):
                await exchange.run()
        except Asked as asked:
            await exchange.answer.refuse(asked.error, asked.body)
        except ValetError as error:
            await exchange.answer.refuse(error, error.to_json())
        except ClientGone:
            return
        except Exception as error:
            logger.error("a request of a notebook failed: %s", describe(error))
            internal = ValetError("internal")
            await exchange.answer.refuse(internal, internal.to_json())

    @contextmanager
    def _one_more(self, caller: Caller) -> Iterator[None]:
        kernel = caller.kernel_id
        if self._under_way[kernel] >= self.limits.concurrent:
            raise ValetError("too_many_requests", count=self.limits.concurrent)
        self._under_way[kernel] += 1
        try:
            yield
        finally:
            self._under_way[kernel] -= 1
            if not self._under_way[kernel]:
                del self._under_way[kernel]

    def profile(self, caller: Caller, name: str) -> Profile:
        """Return the provider of that name, if its person may know of it. Raises `ValetError`."""
        profile = self.profiles.get(name)
        if profile is None or not profile.visible_to(caller.principal):
            raise ValetError("unknown_provider", provider=name)
        return profile


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, parts: Forward, caller: Caller, scope: Message, receive: Receive, send: Send
    ) -> None:
        self._parts = parts
        self._caller = caller
        self._scope = scope
        self._receive = receive
        self.answer = Answering(scope["headers"], send)

    async def run(self) -> None:
        """Do all of it. Raises `ValetError`, `Asked` and `ClientGone`."""
        raw_path = self._scope["raw_path"].decode("latin-1")
        if (name := facts_of(raw_path)) is not None:
            await self.answer.tell(self._parts.profile(self._caller, name))
            return
        wanted = address(raw_path, self._scope["query_string"].decode("latin-1"))
        profile = self._parts.profile(self._caller, wanted.provider)
        if wanted.origin not in profile.origins:
            raise ValetError("foreign_host", host=wanted.origin.host, provider=profile.title)
        headers = outgoing(self._scope["headers"])
        watch = Misdirected(profile.title)
        watch.check((wanted.target, *headers.values()))
        self._scope[OWN_PACE] = True
        upload = Upload(self._headers, self._receive, self._parts.limits, watch)
        use = self._use(profile, wanted, headers, await upload.begin())
        await self._while_there(upload, self._asking(profile, use, upload))

    def _use(
        self, profile: Profile, wanted: Address, headers: Mapping[str, str], body: bytes | None
    ) -> Use:
        method = self._scope["method"]
        try:
            request = Request(method, wanted.origin, wanted.target, headers, body or None)
        except ValueError as error:
            raise ValetError("bad_request", what=str(error)) from None
        asker = f'valet.client("{wanted.provider}")'
        access = access_of(profile, request)
        return Use(_tool(request, access, seen=body is not None), asker, request, access)

    async def _while_there(self, upload: Upload, work: Awaitable[None]) -> None:
        """Await `work`, and give it up when the client goes: nobody would read the answer."""
        if not upload.complete:  # whoever reads the upload hears of it
            await work
            return
        with anyio.CancelScope() as scope:
            watch = asyncio.create_task(_until_gone(self._receive, scope))
            try:
                await work
            finally:
                watch.cancel()

    async def _asking(self, profile: Profile, use: Use, upload: Upload) -> None:
        cards = any(name.lower() == wire.CARDS.lower().encode() for name, _ in self._headers)
        asked: list[Question] = []
        while True:
            try:
                await self._once(profile, use, upload)
            except Needs as needs:
                if isinstance(needs, NeedsApproval) and not upload.kept:
                    raise self._unseen(profile) from None
                if needs.question in asked:  # L17
                    raise needs.again(profile.title) from None
                asked.append(needs.question)
                lacking = needs
            else:
                return
            await self._parts.questions.ask(self._caller, lacking, cards=cards)

    def _unseen(self, profile: Profile) -> ValetError:
        """Return the error of a write that nobody can approve: its body is not here to be shown."""
        limit = f"{self._parts.limits.replay_bytes:,} bytes"
        url = self._caller.origin + PAGE_CONNECTIONS
        return ValetError("approval_too_large", provider=profile.title, limit=limit, url=url)

    @property
    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = self._scope["headers"]
        return headers

    async def _once(self, profile: Profile, use: Use, upload: Upload) -> None:
        parts = self._parts
        scope_headers = parts.scope_headers.get(profile.name, NO_SCOPE_HEADERS)
        body = None if upload.kept else upload.streamed()
        try:
            async with parts.authorized.stream(
                self._caller, profile, use, body, parts.limits.stream, scope_headers
            ) as answer:
                await self.answer.pass_on(profile, use.request, answer)
        except ValetError:
            if upload.failure is not None:
                raise upload.failure from None
            raise


def _tool(request: Request, access: str, *, seen: bool) -> str:
    """Return what the audit calls a request that no tool made, and what an approval holds for.

    For a write that is the method and the path: who lets a notebook post to one address for good
    has said nothing about another. One whose body is passed on unseen is another tool, which
    nobody is ever asked about, so that no approval of an empty request can be used for it.
    """
    where = str(request.origin).partition("://")[2]
    if access == "write":
        where += request.target.partition("?")[0]
    if len(where) > _LONGEST_TOOL:
        where = f"{where[:_LONGEST_TOOL]}… {hashlib.sha256(where.encode()).hexdigest()[:16]}"
    return f"http {request.method} {where}" if seen else f"http upload {request.method} {where}"


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
