"""A broker's inside around a real MCP endpoint on a real socket, and an upstream that checks.

The person is played by `World.sign_in`, which does what the consent page's callback does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp_types as types
import uvicorn
from aiohttp import web
from api_calls import calls_of
from granting import allow, policy_of
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from jupyter_valet.broker.audit import Audit
from jupyter_valet.broker.calls import Calls
from jupyter_valet.broker.connections import Connection, Connections
from jupyter_valet.broker.egress import Egress
from jupyter_valet.broker.elicitation import Transaction, Transactions
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.mcp import Endpoint
from jupyter_valet.broker.oauth import Account, OAuthClient, TokenSet, profiles
from jupyter_valet.broker.policy import Policy, Subject
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.toolsets import toolsets
from jupyter_valet.broker.vault import Vault, open_vault
from jupyter_valet.wire import capability

CANARY = "cnry_9fK2-Zq7Lw_8Xv3Tn5Rb1Yc6Md0Hp4Gs"
SCOPES = frozenset({"openid", "profile", "issues:read"})
ORIGIN = "http://127.0.0.1:8888/user/jane/"

Handler = Callable[[web.Request], Any]


class Upstream:
    """The demo API's paths; a handler may be put in the place of any."""

    def __init__(self) -> None:
        self.tokens: dict[str, frozenset[str]] = {}
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.handler: Handler | None = None
        self.url = ""

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        if self.handler is not None:
            return await self.handler(request)  # type: ignore[no-any-return]
        scopes = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if scopes is None:
            return web.json_response({}, status=401)
        needed = "issues:write" if request.method == "POST" else "issues:read"
        if needed not in scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
            return web.json_response({}, status=403, headers={"WWW-Authenticate": challenge})
        return web.json_response([{"number": 1, "title": "Tides"}])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Upstream]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


@dataclass
class World:
    """Everything that is real, and the hands of the person."""

    state: Path
    upstream: Upstream
    vault: Vault
    kernels: Kernels
    connections: Connections
    transactions: Transactions
    egress: Egress
    calls: Calls
    events: list[tuple[str, dict[str, Any]]]
    known: dict[str, Any]
    policy: Policy
    endpoint: Any = None
    url: str = ""
    sent: bytearray = field(default_factory=bytearray)
    callers: list[Caller] = field(default_factory=list)
    granting: bool = True
    """Whether notebooks are allowed everything without asking."""

    def kernel(self, name: str = "k1", principal: str = "jane") -> str:
        """Register a kernel as the Jupyter server does; return its capability.

        The person has allowed its notebook what they are signed in to.
        """
        token = capability.mint()
        caller = Caller(principal, name, f"{name}.ipynb", ORIGIN)
        self.kernels.register(capability.digest(token), caller)
        self.callers.append(caller)
        for connection in self.connections.find(principal, "demo"):
            self.allow(caller, connection)
        return token

    def allow(self, caller: Caller, connection: Connection, **grant: Any) -> None:
        """Grant what there is no grant for yet."""
        if self.granting and not self.policy.grants.find(Subject.of(caller), connection.id):
            allow(self.policy, caller, connection, **grant)

    def connect(
        self,
        *,
        principal: str = "jane",
        scopes: frozenset[str] = SCOPES,
        token: str = CANARY,
        expires_at: float | None = None,
    ) -> Connection:
        """Store a connection and make its token good upstream."""
        self.upstream.tokens[token] = scopes
        tokens = TokenSet(Secret(token), None, expires_at, scopes)
        made = self.connections.store(
            principal, self.known["demo"], tokens, Account("amara", "Amara")
        )
        for caller in self.callers:
            if caller.principal == principal:
                self.allow(caller, made)
        return made

    def pending(self, principal: str = "jane") -> list[Transaction]:
        return self.transactions.pending_for(principal, "demo")

    async def until_pending(self, count: int = 1) -> None:
        """Wait until so many sign-ins are asked for."""
        while len(self.pending()) < count:  # noqa: ASYNC110 - a test may look
            await anyio.sleep(0.01)

    def sign_in(self, **connection: Any) -> None:
        """Finish the one pending sign-in, as the callback does."""
        transaction = self.pending(connection.get("principal", "jane"))[0]
        made = self.connect(**connection)
        self.transactions.update(transaction.done(made.id, made.account.label))
        self.transactions.complete_covered(made, self.known["demo"])

    def actions(self) -> list[str]:
        """The audit's actions so far."""
        return [data["action"] for _, data in self.events]

    async def recorded(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve through the endpoint, keeping every byte that leaves it."""

        async def keep(message: Any) -> None:
            for name, value in message.get("headers", []):
                self.sent += name + b": " + value + b"\n"
            self.sent += message.get("body", b"")
            await send(message)

        if scope["type"] == "http":
            await self.endpoint(scope, receive, keep)

    @contextlib.asynccontextmanager
    async def serving(self, *, hold: float = 0.3, poll: float = 5.0) -> AsyncIterator[World]:
        """Run the endpoint behind uvicorn, on a new port each time."""
        # asyncio sets TCP_NODELAY only where it sees the protocol: without it, 40 ms per answer.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        self.endpoint = Endpoint(
            self.calls,
            self.transactions,
            self.kernels,
            self.vault,
            self.known,
            hold=hold,
            poll=poll,
        )
        config = uvicorn.Config(
            self.recorded,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
        )
        config.timeout_graceful_shutdown = 1
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[assignment]
        async with self.endpoint, anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await anyio.sleep(0.01)
            try:
                yield self
            finally:
                server.should_exit = True
        listener.close()

    def http(self, token: str | None, **headers: str) -> httpx2.AsyncClient:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return httpx2.AsyncClient(headers=headers, timeout=30)

    async def post(self, token: str, **call: Any) -> dict[str, Any]:
        """Post one `tools/call` of 2026-07-28 by hand and return the reply."""
        async with self.http(token) as http:
            reply = await http.send(modern_request(http, self.url, **call))
        return last_message(reply.text)

    @contextlib.asynccontextmanager
    async def client(
        self, token: str, mode: str, answer: Any = None, **options: Any
    ) -> AsyncIterator[Client]:
        """Enter the SDK's own client, in one of its modes; `answer` is the person's reaction."""
        async with self.http(token) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(
                transport, mode=mode, elicitation_callback=answer, **options
            ) as client:
                yield client


class Person:
    """Answers a URL elicitation, and signs in a little later when the answer is yes."""

    def __init__(self, world: World, action: str = "accept", delay: float = 0.05, **made: Any):
        self.world = world
        self.action = action
        self.delay = delay
        self.made = made
        self.seen: list[types.ElicitRequestURLParams] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
        self.seen.append(params)
        if self.action == "accept":
            self.tasks.append(asyncio.create_task(self._browser()))
        return types.ElicitResult(action=self.action)  # type: ignore[arg-type]

    async def _browser(self) -> None:
        await asyncio.sleep(self.delay)
        if self.world.pending():
            self.world.sign_in(**self.made)


@contextlib.asynccontextmanager
async def world(folder: Path, upstream: Upstream) -> AsyncIterator[World]:
    """Build everything but the listener around a vault in `folder`."""
    vault = open_vault(folder / "state", "file")
    events: list[tuple[str, dict[str, Any]]] = []
    known = profiles({}, upstream.url)
    audit = Audit(
        folder / "audit.jsonl", vault.key("audit"), lambda name, data: events.append((name, data))
    )
    oauth = OAuthClient()
    connections = Connections(vault, oauth, known, audit)
    egress = Egress()
    policy = policy_of(vault, audit)
    try:
        yield World(
            folder,
            upstream,
            vault,
            Kernels(),
            connections,
            Transactions(vault),
            egress,
            calls_of(toolsets(known), connections, egress, known, policy),
            events,
            known,
            policy,
        )
    finally:
        await egress.close()
        await oauth.close()
        vault.close()


@contextlib.asynccontextmanager
async def served(folder: Path, hold: float = 0.3) -> AsyncIterator[World]:
    """Build a world with an upstream of its own, and serve its endpoint."""
    async with (
        Upstream().running() as upstream,
        world(folder, upstream) as here,
        here.serving(hold=hold),
    ):
        yield here


def text(result: Any) -> str:
    return "|".join(block.text for block in result.content)


URL_MODE = {"elicitation": {"url": {}}}


def modern_request(
    http: httpx2.AsyncClient,
    url: str,
    *,
    tool: str = "demo_list_issues",
    arguments: Any = None,
    capabilities: Any = None,
    **params: Any,
) -> httpx2.Request:
    """Build a `tools/call` of 2026-07-28 (basic/index, `_meta`; streamable-http, headers)."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": (
            URL_MODE if capabilities is None else capabilities
        ),
    }
    called = {"name": tool, "arguments": arguments or {"project": "tidepool"}}
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {**called, **params, "_meta": meta},
    }
    return http.build_request("POST", url, json=body, headers=headers)


def last_message(body: str) -> dict[str, Any]:
    """Return the last JSON-RPC message of a JSON or an SSE body."""
    if body.startswith("{"):
        return json.loads(body)  # type: ignore[no-any-return]
    lines = [line for line in body.splitlines() if line.startswith("data: ")]
    return json.loads(lines[-1].removeprefix("data: "))  # type: ignore[no-any-return]
