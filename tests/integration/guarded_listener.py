"""An ASGI application behind the broker's own HTTP server."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import uvicorn

from jupyter_valet.broker.http import GuardedHttp


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """Serve `app` as the broker is served; yield the server and its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=GuardedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        server_header=False,
        date_header=False,
    )
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server._serve, [listener])
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await anyio.sleep(0.01)
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = server.force_exit = True
