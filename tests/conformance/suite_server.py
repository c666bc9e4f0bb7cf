"""The broker's own MCP stack around the tools of the official suite, on a real socket.

Gate, listener, HTTP guard, endpoint and both dispatchers are those of the product; the tools are
the suite's. `python suite_server.py` prints where it is and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import PromptsListChanged
from mcp.shared.exceptions import MCPDeprecationWarning
from mcp_types import CallToolRequestParams, CallToolResult, InputRequiredResult
from relay import relaying
from suite_library import add_library
from suite_questions import ASKING, PUSHING, asked
from suite_tools import SuiteSource

from jupyter_valet.broker.calls import Calls
from jupyter_valet.broker.catalogue import Catalogue
from jupyter_valet.broker.elicitation import Transactions
from jupyter_valet.broker.gate import Gate
from jupyter_valet.broker.http import GuardedHttp
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.listener import Listener
from jupyter_valet.broker.mcp import Endpoint
from jupyter_valet.broker.mcp.handlers import Handlers
from jupyter_valet.broker.vault import open_vault
from jupyter_valet.wire import capability


class SuiteHandlers(Handlers):
    """Those of the product, and answers to the tools that ask what the product never asks."""

    async def call_tool(self, exchange: Any, params: CallToolRequestParams, told: Any) -> Any:
        if params.name in ASKING:
            return asked(params)
        return await super().call_tool(exchange, params, told)


class SuiteEndpoint(Endpoint):
    """The product's endpoint with the suite's library and its questions."""

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._handlers.__class__ = SuiteHandlers  # both dispatchers have this very object

    def offer(self, catalogue: Catalogue) -> None:
        """Put the suite's tools before all others: some scenarios take the first that is listed."""
        source = SuiteSource(ASKING, catalogue.changed, self.prompts_changed)
        catalogue._sources.insert(0, source)
        catalogue.changed()

    async def prompts_changed(self) -> None:
        """Tell who listens; the product has no prompts that could change."""
        for audience in list(self._changes._audiences.values()):
            await audience.bus.publish(PromptsListChanged())

    def _server(self, *parts: Any) -> Server[Any]:
        server = super()._server(*parts)
        add_library(server)
        return server

    async def _call_tool(
        self, context: Any, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        if params.name in PUSHING and context.session.can_send_request:
            return await PUSHING[params.name](context, params)
        return await super()._call_tool(context, params)


@dataclass(frozen=True)
class Served:
    """Where it is, for clients that show the capability, and through a relay that adds it."""

    url: str
    capability: str
    relay: str


@contextlib.asynccontextmanager
async def listening(application: Any) -> AsyncIterator[int]:
    """Serve `application` as the broker's process does; yield the port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    config = uvicorn.Config(
        application,
        http=GuardedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await anyio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
    listener.close()


@contextlib.asynccontextmanager
async def suite_server(folder: Path) -> AsyncIterator[Served]:
    """Serve the suite's tools around a vault in `folder`."""
    vault = open_vault(folder / "state", "file")
    kernels = Kernels()
    catalogue = Catalogue()
    token = capability.mint()
    kernels.register(
        capability.digest(token), Caller("jane", "k1", "a.ipynb", "http://127.0.0.1:8888/")
    )
    try:
        async with SuiteEndpoint(
            Calls(catalogue), Transactions(vault), kernels, vault, {}
        ) as endpoint:
            endpoint.offer(catalogue)
            services: Any = SimpleNamespace(endpoint=endpoint)

            async def ready() -> Any:
                return services

            async def refused(caller: Caller) -> None:
                raise AssertionError("its own kernel shows it")

            gate = Gate(Listener(kernels, ready), kernels, refused)
            async with listening(gate) as port, relaying() as relay:
                relay.origin, relay.token = f"http://127.0.0.1:{port}", token
                yield Served(f"{relay.origin}/mcp", token, f"{relay.own}/mcp")
    finally:
        vault.close()


async def main() -> None:
    """Serve until standard input ends."""
    # The older revision's scenarios want sampling and logging, whatever the newer one says of them.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    with tempfile.TemporaryDirectory() as folder:
        async with suite_server(Path(folder)) as served:
            sys.stdout.write(f"{served.relay}\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
