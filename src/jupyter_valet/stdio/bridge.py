"""The bridge: messages of standard input to the server, its messages to standard output."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import httpx2
from mcp.client._transport import ReadStream, WriteStream
from mcp.client.streamable_http import streamable_http_client
from mcp.server.stdio import stdio_server
from mcp.shared.message import ClientMessageMetadata, SessionMessage

from .reaching import Reaching
from .servers import Entrance
from .stamping import Stamps

Incoming = ReadStream[SessionMessage | Exception]
Outgoing = WriteStream[SessionMessage]

LAST_SECONDS = 5.0
"""How long what was asked may still be answered once the client has closed its end."""

_ANYWHERE = "http://jupyter.invalid/"
"""Stands for the server's URL, which `Reaching` knows."""


async def bridge(find: Callable[[], Entrance]) -> None:
    """Run until standard input ends. `find` returns the way in, or raises `ValetError`."""
    stamps = Stamps()
    # A call may wait for a person, so nothing here has a time limit but the connection itself.
    patience = httpx2.Timeout(None, connect=10.0)
    reaching = Reaching(find, httpx2.AsyncHTTPTransport(trust_env=False))
    async with (
        httpx2.AsyncClient(transport=reaching, timeout=patience, trust_env=False) as http,
        streamable_http_client(_ANYWHERE, http_client=http) as (from_server, to_server),
        stdio_server() as (from_client, to_client),
        to_client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_down, from_server, to_client, stamps)
        await _up(from_client, to_server, stamps)
        with anyio.move_on_after(LAST_SECONDS):
            await _all_answered(stamps)
        tasks.cancel_scope.cancel()


async def _up(client: Incoming, server: Outgoing, stamps: Stamps) -> None:
    async for arrived in client:
        if isinstance(arrived, Exception):  # a line that is no message has no id to answer to
            continue
        metadata = ClientMessageMetadata(headers=stamps.of(arrived.message))
        await server.send(SessionMessage(arrived.message, metadata))


async def _down(server: Incoming, client: Outgoing, stamps: Stamps) -> None:
    async for arrived in server:
        if not isinstance(arrived, Exception):
            await client.send(arrived)
            stamps.learn(arrived.message)


async def _all_answered(stamps: Stamps) -> None:
    while stamps.unanswered:  # noqa: ASYNC110 - for once, at the end
        await anyio.sleep(0.02)
