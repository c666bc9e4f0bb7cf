"""The way to the broker for a kernel without a network: a UNIX socket in its workspace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

_CHUNK = 65536


async def open_door(path: Path, port: Callable[[], int], address: str) -> asyncio.Server:
    """Listen at `path`; lead every connection to the TCP port that the broker has then.

    The folder is the kernel's own and closed to others. The connections come from `address`, a
    loopback address of the kernel's own, by which the broker knows the door (R59).
    """

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection(
                "127.0.0.1", port(), local_addr=(address, 0)
            )
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
            inner_writer.close()
        writer.close()

    return await asyncio.start_unix_server(lead, path)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
