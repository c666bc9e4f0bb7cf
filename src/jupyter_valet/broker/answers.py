"""What the broker has asked the server, until it is answered. It does no input or output."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import anyio

from ..wire.errors import ValetError


class Answers:
    """Who waits for which answer of the server's; one event loop uses it."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._waiting: dict[int, _Waiting] = {}

    async def ask(
        self,
        send: Callable[[dict[str, Any]], None],
        method: str,
        params: dict[str, Any],
        seconds: float,
    ) -> dict[str, Any]:
        """Send a request by `send` and return its result.

        Raises `ValetError` ("server_silent") when there is none within `seconds`.
        """
        request_id = next(self._ids)
        waiting = self._waiting[request_id] = _Waiting()
        try:
            send({"id": request_id, "method": method, "params": params})
            with anyio.move_on_after(seconds):
                await waiting.answered.wait()
        finally:
            del self._waiting[request_id]
        if waiting.result is None:
            raise ValetError("server_silent")
        return waiting.result

    def take(self, message: object) -> None:
        """Take an answer. One that is an error, or no result, is none; nobody's is dropped."""
        if not isinstance(message, dict):
            return
        request_id = message.get("id")
        if not isinstance(request_id, int) or request_id not in self._waiting:
            return
        waiting, result = self._waiting[request_id], message.get("result")
        waiting.result = result if isinstance(result, dict) else None
        waiting.answered.set()


class _Waiting:
    """One question, and what was said to it."""

    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.result: dict[str, Any] | None = None
