"""The broker's own HTTP listener: one capability, five small routes, and the MCP endpoint.

Plain ASGI, because a call pays for every layer (an authenticated Jupyter handler costs five to
eight times as much). The routes are declared in `jupyter_valet.wire.routes`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anyio

from ..wire import clients, egress, routes
from ..wire.errors import ValetError
from ..wire.functions import MAX_BODY
from ..wire.held import HeldView
from ..wire.views import ConnectRequest, TransactionView
from .additions.routes import MAX_BODY as MAX_TOOLSET_BODY
from .additions.routes import ToolsetRoutes
from .control import describe
from .functions.routes import FunctionRoutes
from .kernels import Caller, Kernels
from .vault import Conflict

if TYPE_CHECKING:
    from .services import Services

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BODY_LIMIT = 64 * 1024
"""Largest body, in bytes, of any route but those that have a limit of their own."""

_LARGER = {"functions": MAX_BODY, "toolsets": MAX_TOOLSET_BODY}
"""Limits by the first part of the path."""


@dataclass(frozen=True)
class Request:
    """One authenticated request to a small route."""

    caller: Caller
    method: str
    path: list[str]
    query: dict[str, str]
    body: bytes


class Listener:
    """The ASGI application of the broker.

    `services` waits until the vault is open and the heavy parts are loaded, and raises
    `ValetError` while they cannot be.
    """

    def __init__(self, kernels: Kernels, services: Callable[[], Awaitable[Services]]) -> None:
        self._kernels = kernels
        self._services = services

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; anything else is refused."""
        if scope["type"] != "http":
            return
        try:
            await self._route(scope, receive, send)
        except ValetError as error:
            await _reply(send, error.kind.status, error.to_json())

    async def _route(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] == routes.MCP:
            services = await self._services()
            await services.endpoint(scope, receive, send)
            return
        if scope["path"] == clients.ROUTE:
            await (await self._services()).reception(scope, receive, send)
            return
        caller = self._caller(scope)
        with self._kernels.request_of(caller):
            if scope["path"].startswith(f"{egress.ROUTE}/"):
                await (await self._services()).forward(caller, scope, receive, send)
                return
            await self._small_route(await _request(caller, scope, receive), receive, send)

    async def _small_route(self, request: Request, receive: Receive, send: Send) -> None:
        services = await self._services()
        reply: tuple[int, dict[str, Any]] | None = None
        async with anyio.create_task_group() as tasks:
            # A kernel that was interrupted closes its long poll: stop waiting for it.
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
            reply = await _answered(Routes(services, request))
            tasks.cancel_scope.cancel()
        if reply is not None:
            await _reply(send, *reply)

    def _caller(self, scope: Message) -> Caller:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        # A browser has no business here: it always says where it comes from when it could harm.
        if "origin" in headers or not _loopback_host(headers.get("host", "")):
            raise ValetError("capability_refused")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        caller = self._kernels.find(token.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise ValetError("capability_refused")
        return caller


@dataclass(frozen=True)
class Routes:
    """What a kernel may ask besides MCP: about itself and its person, and never for a secret."""

    services: Services
    request: Request

    async def answer(self) -> dict[str, Any]:
        """Do what the request asks.

        Raises `ValetError`, also for a route or a method that does not exist.
        """
        match self.request.method, self.request.path:
            case "GET", ["status"]:
                caller = self.request.caller
                return self.services.status(caller).to_json()
            case "POST", ["connect"]:
                asked = self._connect_request()
                await self.services.upstreams.found(self.request.caller, asked.provider)
                return self.services.holdings.connect(self.request.caller, asked).to_json()
            case "GET", ["connections"]:
                mine = self.services.holdings.mine(self.request.caller)
                return {"connections": [view.to_json() for view in mine]}
            case "DELETE", ["connections", connection]:
                return await self._disconnect(connection)
            case "DELETE", ["grants", grant]:
                return self.services.holdings.end_grant(self.request.caller, grant)
            case "GET", ["held"]:
                return (await self._held()).to_json()
            case "GET", ["transactions", transaction]:
                return (await self._watch(transaction)).to_json()
            case "DELETE", ["transactions", transaction]:
                return self._end(transaction).to_json()
            case _, ["toolsets", *rest]:
                services = self.services
                toolsets = ToolsetRoutes(
                    services.additions, services.upstreams, self.request.caller
                )
                return await toolsets.answer(self.request.method, rest, self.request.body)
            case _, ["functions", *rest]:
                functions = FunctionRoutes(self.services.functions, self.request.caller)
                return await functions.answer(
                    self.request.method, rest, self.request.query, self.request.body
                )
        raise ValetError("not_found", what="route")

    def _connect_request(self) -> ConnectRequest:
        try:
            data = json.loads(self.request.body)
            asked = ConnectRequest.from_json(data)
            types = (type(asked.provider), type(asked.scopes), type(asked.new_account))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValetError("bad_request", what="the body is no connect request") from error
        if types != (str, list, bool):
            raise ValetError("bad_request", what="the body is no connect request")
        return asked

    async def _disconnect(self, connection: str) -> dict[str, Any]:
        revoke = self.request.query.get("revoke") == "true"
        holdings, caller = self.services.holdings, self.request.caller
        return {"ended": await holdings.disconnect(caller, connection, revoke=revoke)}

    async def _watch(self, transaction_id: str) -> TransactionView:
        transaction = self._shown(transaction_id)
        after, wait = self._poll()
        if wait > 0 and after >= 0:
            transaction = await self.services.transactions.wait(
                transaction.id, after=after, timeout=wait
            )
        return self.services.view(transaction)

    async def _held(self) -> HeldView:
        """Return what calls of this kernel are held for; a sign-in that is over has no card."""
        transactions, caller = self.services.transactions, self.request.caller
        revision, ids = await transactions.held.changed(caller, *self._poll())
        pending = [found for id in ids if (found := transactions.get(id)) is not None]
        return HeldView(revision, [self.services.view(t) for t in pending if not t.state.final])

    def _poll(self) -> tuple[int, float]:
        """Return after which revision, and how long to wait for it. Raises `ValetError`."""
        try:
            after = int(self.request.query.get("after", "-1"))
            wait = min(float(self.request.query.get("wait", "0")), routes.LONG_POLL_SECONDS)
        except ValueError as error:
            raise ValetError("bad_request", what="after and wait are numbers") from error
        return after, wait

    def _end(self, transaction_id: str) -> TransactionView:
        transaction = self._own(transaction_id)
        declined = self.request.query.get("action") == "decline"
        while not transaction.state.final:
            ended = transaction.declined() if declined else transaction.cancelled()
            try:
                transaction = self.services.transactions.update(ended)
            except Conflict:  # the person was quicker: look again, it may be done by now
                transaction = self._own(transaction_id)
        return self.services.view(transaction)

    def _shown(self, transaction_id: str) -> Any:
        """Return what the caller may show a card of: its own, and a client's that it shows."""
        transaction = self.services.transactions.get(transaction_id)
        held = self.services.transactions.held
        if transaction is not None and held.shows(self.request.caller, transaction):
            return transaction
        return self._own(transaction_id)

    def _own(self, transaction_id: str) -> Any:
        """Return the caller's transaction; another kernel's does not exist for it."""
        transaction = self.services.transactions.get(transaction_id)
        caller = self.request.caller
        if transaction is None or (transaction.principal, transaction.kernel_id) != (
            caller.principal,
            caller.kernel_id,
        ):
            raise ValetError("not_found", what="sign-in")
        return transaction


async def _request(caller: Caller, scope: Message, receive: Receive) -> Request:
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    path = [part for part in scope["path"].split("/") if part]
    limit = _LARGER.get(path[0], _BODY_LIMIT) if path else _BODY_LIMIT
    return Request(
        caller=caller,
        method=scope["method"],
        path=path,
        query={name: values[-1] for name, values in query.items()},
        body=await _body(receive, limit),
    )


async def _answered(asked: Routes) -> tuple[int, dict[str, Any]]:
    """Return status and body; no exception may leave, a task group would wrap it."""
    try:
        return 200, await asked.answer()
    except ValetError as error:
        return error.kind.status, error.to_json()
    except Exception as error:
        # The type and the place say enough; a message might hold what upstream sent.
        logger.error("%s failed: %s", asked.request.path[:1], describe(error))
        return 500, ValetError("internal").to_json()


def _loopback_host(host: str) -> bool:
    """Whether the Host header names this machine: DNS rebinding ends here."""
    return host.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]")


async def _body(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limit:
            raise ValetError("bad_request", what="the body is too large")
        if not message.get("more_body", False):
            return bytes(body)


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _reply(send: Send, status: int, data: dict[str, Any]) -> None:
    body = json.dumps(data, separators=(",", ":")).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
