"""The broker's end of the control channel: lines of JSON on its own standard input and output.

The channel is declared in `jupyter_valet.wire.control`. Reading and writing happen in two threads,
so that neither a slow server nor a slow handler stalls the other, on every platform.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import msgspec

from ..wire.errors import ValetError
from .answers import Answers

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
"""How long the server is waited for; it answers what it is asked within a millisecond or two."""

_GATHER_SECONDS = 0.2
_LAST_WORDS_SECONDS = 1.0
_AN_EVENT_WAITS = b""

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Control:
    """Requests in, answers and events out, and what the broker asks itself.

    The end of the input ends the broker.
    """

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader = reader
        self._handlers: dict[str, Handler] = {}
        self._outbox = Outbox(writer)
        self._answers = Answers()

    @classmethod
    def over_stdio(cls) -> Control:
        """Take standard input and output for the channel.

        From here on `print` and libraries that write to standard output reach standard error, so
        nothing but the protocol can get onto the channel.
        """
        reader = os.fdopen(os.dup(0), "rb")
        writer = os.fdopen(os.dup(1), "wb")
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(reader, writer)

    def handle(self, method: str, handler: Handler) -> None:
        """Answer `method` with `handler`."""
        self._handlers[method] = handler

    def event(self, name: str, params: dict[str, Any]) -> None:
        """Tell the server something it did not ask for, soon; never waits."""
        self._outbox.later({"event": name, "params": params})

    async def ask(
        self, method: str, params: dict[str, Any], seconds: float = ANSWER_SECONDS
    ) -> dict[str, Any]:
        """Ask the server something. Raises `ValetError` ("server_silent")."""
        return await self._answers.ask(self._outbox.put, method, params, seconds)

    async def serve(self) -> None:
        """Answer requests until the server closes the channel."""
        writing = threading.Thread(target=self._outbox.run, daemon=True, name="control-out")
        writing.start()
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
        self._outbox.close()
        await anyio.to_thread.run_sync(writing.join, _LAST_WORDS_SECONDS)

    async def _answer(self, line: bytes) -> None:
        request_id: Any = None
        try:
            request = json.loads(line)
            if "method" not in request:
                self._answers.take(request)
                return
            request_id = request["id"]
            result = await self._handlers[request["method"]](request.get("params") or {})
            self._outbox.put({"id": request_id, "result": result})
        except ValetError as error:
            self._outbox.put({"id": request_id, **error.to_json()})
        except Exception as error:
            # The type and the place say enough; a message might hold what a person typed.
            logger.error("control request failed: %s", describe(error))
            self._outbox.put({"id": request_id, **ValetError("internal").to_json()})


class Outbox:
    """Messages to the server, written by a thread of its own.

    An event waits up to `_GATHER_SECONDS` for others, because to wake the thread for each would
    cost a tool call more than its audit does. An answer, or the end, is written at once.
    """

    def __init__(self, writer: BinaryIO) -> None:
        self._writer = writer
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._events: list[dict[str, Any]] = []
        self._turn = threading.Lock()

    def put(self, message: dict[str, Any]) -> None:
        """Write `message` at once."""
        self._lines.put(_line(message))

    def later(self, message: dict[str, Any]) -> None:
        """Write `message` soon, in the order of these calls."""
        with self._turn:
            self._events.append(message)
            first = len(self._events) == 1
        if first:
            self._lines.put(_AN_EVENT_WAITS)

    def close(self) -> None:
        """Write what waits and end."""
        self._lines.put(None)

    def run(self) -> None:
        """Write until `close`, or until the server has gone; the end of the input says so too."""
        with contextlib.suppress(OSError):
            while (line := self._lines.get()) is not None:
                if line != _AN_EVENT_WAITS:
                    self._write(line)
                elif self._gather():
                    break
            self._write_events()

    def _gather(self) -> bool:
        """Write other lines for a while, then the events; True when the end came first."""
        until = time.monotonic() + _GATHER_SECONDS
        with contextlib.suppress(queue.Empty):
            while (left := until - time.monotonic()) > 0:
                line = self._lines.get(timeout=left)
                if line is None:
                    return True
                self._write(line)
        self._write_events()
        return False

    def _write_events(self) -> None:
        with self._turn:
            events, self._events = self._events, []
        self._write(b"".join(map(_line, events)))

    def _write(self, data: bytes) -> None:
        self._writer.write(data)
        self._writer.flush()


def _line(message: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(message) + b"\n"
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, TypeError):
        return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def describe(error: BaseException) -> str:
    """Return what `error` is and where it was raised, without any value that it holds."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    file = Path(trace.tb_frame.f_code.co_filename).name
    return f"{type(error).__name__} at {file}:{trace.tb_lineno}"
