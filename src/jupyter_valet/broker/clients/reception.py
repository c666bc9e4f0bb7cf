"""One request of an outside client: who it is, whether its scopes reach, and then as any other."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ...wire.errors import ValetError
from ..calls import Calls
from ..http import WHOLE
from ..kernels import Caller
from ..mcp import Endpoint
from ..mcp.arrived import Arrived
from ..refusal import Refusal, refuse
from ..search.tools import CALL
from . import scopes
from .clients import Clients
from .door import Door
from .under_way import UnderWay, Visit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


REVISION = b"mcp-protocol-version"


class Reception:
    """The ASGI application behind the door."""

    def __init__(
        self, door: Door, clients: Clients, under_way: UnderWay, calls: Calls, endpoint: Endpoint
    ) -> None:
        self._door = door
        self._clients = clients
        self._under_way = under_way
        self._calls = calls
        self._endpoint = endpoint

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one forwarded request, or refuse it with what would help.

        Raises `ValetError` ("capability_refused") when it was not the server that forwarded it.
        """
        arrival, behind = self._door.open(scope)
        # Before the client is judged, so that nothing is awaited between that and the watch.
        arrived = await Arrived.of(receive, behind.pop(WHOLE, None))
        caller = await self._clients.caller(arrival)
        if isinstance(caller, Refusal):
            await refuse(send, caller)
            return
        if wanted := self._beyond(caller, arrived.body):
            # Before anything is answered: inside a stream the status could not be seen (RS-08).
            held = caller.client.scopes if caller.client is not None else ()
            asked = scopes.to_ask_for(held, wanted, _revision(behind))
            await refuse(send, Refusal.of_scope(arrival.metadata, asked))
            return
        visit = Visit(arrival, caller, arrived.replay, send)
        self._under_way.begin(visit)
        try:
            await self._endpoint.serve(caller, behind, visit.receive, visit.send)
            await visit.close(Refusal.of_bad_token(arrival.metadata, scopes.INITIAL))
        finally:
            self._under_way.over(visit)

    def _beyond(self, caller: Caller, body: bytes | None) -> str:
        """Return the scope that the call in `body` takes and the client does not hold."""
        if not body or (caller.client is not None and scopes.WRITE in caller.client.scopes):
            return ""  # there is nothing beyond
        called = _called(body)
        if called is None:
            return ""
        name, arguments = called
        tool = self._calls.find(caller, name)
        if tool is CALL:
            tool = self._calls.find(caller, str(arguments.get("name")))
        try:
            if tool is not None:
                scopes.check(caller, tool)
        except ValetError:
            return scopes.needed(tool) if tool is not None else ""
        return ""


def _revision(scope: Message) -> str:
    """Return the protocol revision that the client says it speaks; "" without a word."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    return headers.get(REVISION, b"").decode("latin-1")


def _called(body: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return the tool and the arguments of a `tools/call`; None for all else, however malformed.

    A call that is read otherwise later meets the same check in `Calls`.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return None
    params = message.get("params")
    if not isinstance(params, dict) or not isinstance(params.get("name"), str):
        return None
    arguments = params.get("arguments")
    return params["name"], arguments if isinstance(arguments, dict) else {}
