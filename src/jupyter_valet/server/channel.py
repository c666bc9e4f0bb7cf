"""The server's end of the control channel: requests out, answers, events and questions in.

Reading and writing have a thread each, so neither a slow broker nor a full pipe stalls the event
loop, and the same code serves every platform and every kind of loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from typing import IO, Any

from ..wire.errors import RemoteError, ValetError

Answer = Future[dict[str, Any]]
OnEvent = Callable[[str, dict[str, Any]], None]
OnAsk = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Answers a question of the broker's, in a thread of its own; what it raises is no answer."""

QUESTIONS_AT_ONCE = 8


class Exchange:
    """Who waits for which answer; any thread may call it.

    It does no input or output of its own.
    """

    def __init__(self, on_event: OnEvent, on_ask: Callable[[dict[str, Any]], None]) -> None:
        self._on_event = on_event
        self._on_ask = on_ask
        self._ids = itertools.count(1)
        self._waiting: dict[int, Answer] = {}
        self._ended = False
        self._lock = threading.Lock()

    def ask(self, method: str, params: dict[str, Any]) -> tuple[bytes, Answer]:
        """Return the line to send and the future of its answer.

        Raises `ValetError` ("broker_unreachable") once the channel has ended.
        """
        answer: Answer = Future()
        with self._lock:
            if self._ended:
                raise ValetError("broker_unreachable")
            request_id = next(self._ids)
            self._waiting[request_id] = answer
        message = {"id": request_id, "method": method, "params": params}
        return json.dumps(message, separators=(",", ":")).encode() + b"\n", answer

    def receive(self, line: bytes) -> None:
        """Take one line of the broker's.

        Raises `ValueError` when it is not of the protocol: such a broker must not be believed.
        """
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("not a message")  # noqa: TRY004 (as for a line that is not JSON)
        if "event" in message:
            self._on_event(str(message["event"]), _object(message.get("params")))
            return
        if "method" in message:
            self._on_ask(message)
            return
        error = RemoteError({"error": message["error"]}) if "error" in message else None
        result = {} if error else _object(message.get("result"))
        answer = self._take(message.get("id"))
        with contextlib.suppress(InvalidStateError):  # whoever asked has gone
            if error:
                answer.set_exception(error)
            else:
                answer.set_result(result)

    def _take(self, request_id: object) -> Answer:
        with self._lock:
            answer = self._waiting.pop(request_id, None) if isinstance(request_id, int) else None
        if answer is None:
            raise ValueError("an answer that nobody waits for")
        return answer

    def end(self) -> None:
        """Tell everybody who waits that no answer will come."""
        with self._lock:
            self._ended = True
            waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            with contextlib.suppress(InvalidStateError):
                answer.set_exception(ValetError("broker_unreachable"))


class Channel:
    """An `Exchange` over two pipes."""

    def __init__(
        self,
        reader: IO[bytes],
        writer: IO[bytes],
        *,
        on_event: OnEvent,
        on_ask: OnAsk,
        on_end: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._exchange = Exchange(on_event, self._asked)
        self._on_ask = on_ask
        # Not the event loop: what holds that up must not keep kernels from their broker.
        self._answering = ThreadPoolExecutor(QUESTIONS_AT_ONCE, "valet-control-asked")
        self._on_end = on_end
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        for target, name in ((self._read, "valet-control-in"), (self._write, "valet-control-out")):
            threading.Thread(target=target, daemon=True, name=name).start()

    async def ask(self, method: str, params: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request and return its result.

        Raises what the broker answered (`RemoteError`), or `ValetError` ("broker_unreachable") when
        it ended or did not answer within `seconds`.
        """
        line, answer = self._exchange.ask(method, params)
        self._outbox.put(line)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            raise ValetError("broker_unreachable") from None

    def close(self) -> None:
        """Close the broker's input, once what is queued has been written."""
        self._outbox.put(None)

    def _read(self) -> None:
        try:
            with contextlib.suppress(OSError, ValueError), self._reader:
                for line in self._reader:
                    self._exchange.receive(line)
        finally:
            # First, so that whoever is told "no answer" and asks again meets the next broker.
            self._on_end()
            self._exchange.end()
            self._answering.shutdown(wait=False, cancel_futures=True)
            self._outbox.put(None)

    def _asked(self, message: dict[str, Any]) -> None:
        self._answering.submit(self._answer, message)

    def _answer(self, message: dict[str, Any]) -> None:
        try:
            result = self._on_ask(str(message["method"]), _object(message.get("params")))
            answer: dict[str, Any] = {"result": result}
        except ValetError as error:
            answer = error.to_json()
        except Exception:  # a broker of another version, say: it is told that there is no answer
            answer = ValetError("internal").to_json()
        line = json.dumps({"id": message.get("id"), **answer}, separators=(",", ":"))
        self._outbox.put(line.encode() + b"\n")

    def _write(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._writer:
            while (line := self._outbox.get()) is not None:
                self._writer.write(line)
                self._writer.flush()


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004
    return value
