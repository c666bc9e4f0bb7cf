"""The broker's end of the control channel: lines of JSON on its own standard input and output.

The channel is declared in `jupyter_valet.wire.control`. Reading and writing happen in two threads,
so that neither a slow server nor a slow handler stalls the other, on every platform.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import anyio.from_thread
import anyio.lowlevel

from ..wire.errors import ValetError

logger = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Control:
    """Requests in, answers and events out; the end of the input ends the broker."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader = reader
        self._writer = writer
        self._handlers: dict[str, Handler] = {}
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    @classmethod
    def over_stdio(cls) -> Control:
        """Take standard input and output for the channel.

        From here on `print` and libraries that write to standard output reach standard error, so
        nothing but the protocol can get onto the channel.
        """
        reader = os.fdopen(os.dup(0), "rb")
        writer = os.fdopen(os.dup(1), "wb", buffering=0)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(reader, writer)

    def handle(self, method: str, handler: Handler) -> None:
        """Answer `method` with `handler`."""
        self._handlers[method] = handler

    def event(self, name: str, params: dict[str, Any]) -> None:
        """Tell the server something it did not ask for; never waits."""
        self._send({"event": name, "params": params})

    async def serve(self) -> None:
        """Answer requests until the server closes the channel."""
        threading.Thread(target=self._write_lines, daemon=True, name="control-out").start()
        send, receive = anyio.create_memory_object_stream[bytes](1024)
        token = anyio.lowlevel.current_token()

        def read_lines() -> None:
            try:
                for line in iter(self._reader.readline, b""):
                    anyio.from_thread.run(send.send, line, token=token)
            finally:
                anyio.from_thread.run_sync(send.close, token=token)

        threading.Thread(target=read_lines, daemon=True, name="control-in").start()
        async with receive, anyio.create_task_group() as tasks:
            async for line in receive:
                tasks.start_soon(self._answer, line)
            tasks.cancel_scope.cancel()
        self._outbox.put(None)

    async def _answer(self, line: bytes) -> None:
        request_id: Any = None
        try:
            request = json.loads(line)
            request_id = request["id"]
            result = await self._handlers[request["method"]](request.get("params") or {})
            self._send({"id": request_id, "result": result})
        except ValetError as error:
            self._send({"id": request_id, **error.to_json()})
        except Exception as error:
            # The type and the place say enough; a message might hold what a person typed.
            logger.error("control request failed: %s", describe(error))
            self._send({"id": request_id, **ValetError("internal").to_json()})

    def _send(self, message: dict[str, Any]) -> None:
        self._outbox.put(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def _write_lines(self) -> None:
        while (line := self._outbox.get()) is not None:
            try:
                self._writer.write(line)
            except OSError:  # the server has gone; the end of the input says so too
                return


def describe(error: BaseException) -> str:
    """Return what `error` is and where it was raised, without any value that it holds."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    file = Path(trace.tb_frame.f_code.co_filename).name
    return f"{type(error).__name__} at {file}:{trace.tb_lineno}"
