"""An upstream server that is a program on this machine (BP-17, BP-21).

It runs as the person, outside every wall, so only the configuration file may name one: no kernel
can. It gets an environment of a few names, a folder of its own, and no secret but a key that the
person typed for it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import anyio
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse

from ...wire.errors import ValetError
from ..egress import Withheld
from ..egress.reflection import Reflection
from .session import Entered
from .settings import Server
from .troubles import Troubles

SHORT_LIFE = 10.0
"""Seconds: a program that ends sooner is started again later and later."""

LONGEST_PAUSE = 60.0

_GUARD = "jupyter_valet.broker.upstream.guard"
LOG = "server.log"


class Restarts:
    """Keeps a program that ends at once from being started without end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[Server, tuple[int, float]] = {}

    def check(self, server: Server, log: Path) -> None:
        """Raise `ValetError` while `server` must not be started again."""
        _, until = self._failed.get(server, (0, 0.0))
        if until > self._clock():
            raise self.failed(server, log)

    def failed(self, server: Server, log: Path) -> ValetError:
        """Return what is told of a program that ended."""
        return ValetError(
            "program_failed", provider=server.words, log=log, seconds=self.pause(server)
        )

    def pause(self, server: Server) -> int:
        """Return the seconds until `server` may be started again, at least one."""
        return max(1, round(self._failed.get(server, (0, 0.0))[1] - self._clock()))

    def ended(self, server: Server, lived: float) -> None:
        """Note that `server` has run for `lived` seconds."""
        if lived >= SHORT_LIFE:
            self._failed.pop(server, None)
            return
        times = self._failed.get(server, (0, 0.0))[0] + 1
        pause = min(2.0 ** (times - 1), LONGEST_PAUSE)
        self._failed[server] = (times, self._clock() + pause)


@dataclass(frozen=True)
class Programs:
    """Starts programs. `folder` holds a folder for each of them."""

    folder: Path
    restarts: Restarts

    def entered(
        self,
        server: Server,
        variables: dict[str, str],
        reflection: Reflection | None,
        troubles: Troubles,
    ) -> Entered:
        """Return how to open a session with `server`, whose key is in `variables`.

        What comes from it is looked through for the key, like every other answer (R93).
        """
        home = self._home(server)
        self.restarts.check(server, home / LOG)
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-I", "-m", _GUARD, str(os.getpid()), server.command, *server.args],
            env={**dict(server.env), **variables},
            cwd=home,
        )

        @contextlib.asynccontextmanager
        async def running() -> AsyncIterator[Any]:
            began = time.monotonic()
            sieve = _Sieve(server, reflection, troubles)
            try:
                with _log(home / LOG) as log:
                    async with (
                        stdio_client(parameters, errlog=log) as (incoming, outgoing),
                        sieve.over(incoming) as sieved,
                    ):
                        yield sieved, outgoing
            finally:
                if sieve.ended:
                    self.restarts.ended(server, time.monotonic() - began)

        return running

    def failed(self, server: Server) -> ValetError:
        """Return what is told of a program that ended."""
        return self.restarts.failed(server, self._home(server) / LOG)

    def _home(self, server: Server) -> Path:
        home = self.folder / server.name
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return home


def _log(path: Path) -> TextIO:
    """Open the program's log anew, for its person alone."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8")


class _Sieve:
    """What comes in; a message that holds the key becomes one that says so.

    `ended` tells whether the program ended by itself.
    """

    def __init__(self, server: Server, reflection: Reflection | None, troubles: Troubles) -> None:
        self._server = server
        self._reflection = reflection
        self._troubles = troubles
        self.ended = False

    @contextlib.asynccontextmanager
    async def over(self, incoming: Any) -> AsyncIterator[Any]:
        """Return what is to be read in the place of `incoming`."""
        send, receive = anyio.create_memory_object_stream[SessionMessage | Exception](0)

        async def pump() -> None:
            async with send:
                async for item in incoming:
                    passed = self._passed(item)
                    if passed is not None:
                        await send.send(passed)
                self.ended = True

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pump)
            yield receive
            tasks.cancel_scope.cancel()
        receive.close()

    def _passed(self, item: SessionMessage | Exception) -> SessionMessage | Exception | None:
        if self._reflection is None or not isinstance(item, SessionMessage):
            return item
        message = item.message
        if not self._reflection.found_in(message.model_dump_json(by_alias=True).encode()):
            return item
        if not isinstance(message, JSONRPCResponse | JSONRPCError):
            return None
        withheld = Withheld("response_withheld", provider=self._server.words)
        answer = {"jsonrpc": "2.0", "id": message.id, "error": self._troubles.data(withheld)}
        return SessionMessage(JSONRPCError.model_validate(answer))
