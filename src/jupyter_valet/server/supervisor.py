"""The broker's life: started at first need, started again after a crash, ended with the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..wire import control
from ..wire.errors import ValetError
from ..wire.processes import Peer
from . import process
from .channel import Channel, OnAsk, OnEvent
from .onlooker import Onlooker

START_SECONDS = 30.0
CALL_SECONDS = 60.0
REGISTER_SECONDS = 10.0
"""A kernel waits for this at its start, so it is short."""
END_SECONDS = 5.0
ATTEMPTS = 6
"""Starts that may fail in a row before the supervisor waits for the next need."""
HEALTHY_SECONDS = 60.0
"""A broker that lived this long did not crash because of how it was started."""


def backoff() -> Iterator[float]:
    """Yield the seconds to wait before each new start: 0.1, doubling, at most 15."""
    delay = 0.1
    while True:
        yield delay
        delay = min(delay * 2, 15.0)


@dataclass(frozen=True)
class Plan:
    """How to start a broker. `params` is asked for each time: the origin may have become known."""

    command: Sequence[str]
    state_dir: Path
    params: Callable[[], Awaitable[control.StartParams]]
    inherits_socket: bool = True
    """Whether `command` can be given a listening socket; not over `ssh` or the like."""


class Broker:
    """One broker process and the channel to it."""

    def __init__(
        self,
        plan: Plan,
        listener: socket.socket | None,
        log: process.Log,
        on_event: OnEvent,
        on_ask: OnAsk,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._on_event = on_event
        self.process = process.spawn(
            plan.command,
            cwd=process.own_cwd(plan.state_dir),
            environ=os.environ,
            listener=listener,
        )
        process.pump_stderr(self.process, log)
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self.channel = Channel(
            self.process.stdout,
            self.process.stdin,
            on_event=self._event_from_thread,
            on_ask=on_ask,
            on_end=lambda: self._from_thread(self._ended.set),
        )
        self.port = 0

    async def start(self, params: control.StartParams) -> None:
        """Shake hands. Raises `ValetError`."""
        reply = await self.channel.ask(control.START, params.to_json(), START_SECONDS)
        self.port = int(reply["port"])

    async def ended(self) -> None:
        """Wait for the end of the channel: of the process, or of the belief in it."""
        await self._ended.wait()

    async def stop(self) -> int:
        """End the process by closing its input; return its exit status."""
        self.channel.close()
        await process.end(self.process, END_SECONDS)
        return int(self.process.returncode)

    def _event_from_thread(self, name: str, params: dict[str, Any]) -> None:
        self._from_thread(self._on_event, name, params)

    def _from_thread(self, call: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the server's loop has ended
            self._loop.call_soon_threadsafe(call, *args)


class Supervisor:
    """Starts the broker when it is first needed and keeps it until `stop`.

    The listening socket is bound once and kept, so a broker that comes back has the same port, and
    nobody else can take it meanwhile.
    """

    def __init__(self, plan: Plan, log: process.Log, on_event: OnEvent) -> None:
        self._plan = plan
        self._log = log
        self._on_event = on_event
        self._onlooker = Onlooker(self._peers)
        self._listener: socket.socket | None = None
        self._port = 0
        self._ready: asyncio.Future[Broker] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._kernels: dict[str, dict[str, Any]] = {}
        self._stopped = False

    @property
    def url(self) -> str:
        """Base URL of the broker's own listener; valid once it has been started."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """TCP port of the broker's own listener, 0 before it has been started."""
        return self._port

    async def ensure(self) -> None:
        """Return when a broker runs. Raises `ValetError` ("broker_unreachable")."""
        await self._running()

    async def call(
        self, method: str, params: dict[str, Any], seconds: float = CALL_SECONDS
    ) -> dict[str, Any]:
        """Ask the broker; start it first if need be. Raises `ValetError`."""
        broker = await self._running()
        return await broker.channel.ask(method, params, seconds)

    async def register(self, kernel_id: str, facts: dict[str, Any]) -> None:
        """Tell this broker, and every one after it, whose a capability is. Raises `ValetError`."""
        self._kernels[kernel_id] = facts
        try:
            await self.call(control.CAPABILITY_REGISTER, facts, REGISTER_SECONDS)
        except ValetError:
            self._kernels.pop(kernel_id, None)
            raise

    async def bind(self, kernel_id: str, peer: dict[str, Any]) -> None:
        """Tell this broker, and every one after it, a kernel's process, if it was awaited.

        Raises `ValetError`.
        """
        facts = self._kernels.get(kernel_id)
        if facts is None or not facts["peer"]["awaited"]:
            return
        self._kernels[kernel_id] = {**facts, "peer": peer}
        told = {"kernel_id": kernel_id, "peer": peer}
        await self.call(control.CAPABILITY_BIND, told, REGISTER_SECONDS)

    async def moved(self, root: str, old: str, new: str) -> None:
        """Tell this broker, and every one after it, that a notebook or a folder has a new path.

        An empty `new` is one that was deleted. Raises `ValetError`.
        """
        for kernel_id, facts in self._kernels.items():
            rest = str(facts["notebook"]).removeprefix(old)
            inside = facts["notebook"] == old + rest and (not rest or rest.startswith("/"))
            if new and inside and facts["root"] == root:
                self._kernels[kernel_id] = {**facts, "notebook": new + rest}
        await self.call(control.NOTEBOOK_MOVED, {"root": root, "old": old, "new": new})

    async def revoke(self, kernel_id: str) -> None:
        """Take a kernel's capability back; does not start a broker for it."""
        if self._kernels.pop(kernel_id, None) is None or self._stopped:
            return
        with contextlib.suppress(ValetError):  # a broker that is gone forgets by itself
            await self.call(control.CAPABILITY_REVOKE, {"kernel_id": kernel_id})

    def _peers(self) -> list[Peer]:
        """Return whose processes brokers are told; any thread may call it."""
        return [Peer.from_json(facts["peer"]) for facts in list(self._kernels.values())]

    async def stop(self) -> None:
        """End the broker; nothing starts it again."""
        self._stopped = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        self._settle(ValetError("broker_unreachable"))
        if self._listener is not None:
            self._listener.close()

    async def _running(self) -> Broker:
        if self._stopped:
            raise ValetError("broker_unreachable")
        if self._keeper is None or self._keeper.done():
            self._ready = _future()
            self._keeper = asyncio.create_task(self._keep())
        assert self._ready is not None
        return await asyncio.shield(self._ready)

    async def _keep(self) -> None:
        """Start brokers one after the other, until told to stop or until it makes no sense."""
        delays, failures = backoff(), 0
        while failures < ATTEMPTS:
            broker = await self._try_start()
            if broker is None:
                failures += 1
            elif await self._watch(broker) > HEALTHY_SECONDS:
                delays, failures = backoff(), 0
            await asyncio.sleep(next(delays))
            if self._ready is None or self._ready.done():
                self._ready = _future()
        self._settle(ValetError("broker_unreachable"))

    async def _try_start(self) -> Broker | None:
        assert self._ready is not None
        try:
            broker = await self._start()
        except (OSError, ValetError) as error:
            self._log.error("The broker did not start: %s", error)
            self._settle(ValetError("broker_unreachable"))
            return None
        self._ready.set_result(broker)
        return broker

    async def _start(self) -> Broker:
        if self._listener is None and self._plan.inherits_socket:
            self._listener = process.bind_loopback()
        self._plan.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        params = await self._plan.params()
        broker = Broker(
            self._plan, self._listener, self._log, self._on_event, self._onlooker.answer
        )
        try:
            fd = None if self._listener is None else self._listener.fileno()
            # Known before it listens: what waited in the backlog of the socket is answered at once.
            known = list(self._kernels.values())
            await broker.start(replace(params, listen_fd=fd, kernels=known))
        except BaseException:
            await broker.stop()
            raise
        self._port = broker.port
        return broker

    async def _watch(self, broker: Broker) -> float:
        """Return how many seconds the broker lived; end it when this task is cancelled."""
        started = time.monotonic()
        try:
            await broker.ended()
        except asyncio.CancelledError:
            await broker.stop()
            raise
        self._ready = _future()  # whoever asks from now on waits for the next one
        status = await broker.stop()
        self._log.warning("The broker ended with status %s; it is started again.", status)
        return time.monotonic() - started

    def _settle(self, error: ValetError) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # nobody may be waiting for it


def _future() -> asyncio.Future[Broker]:
    return asyncio.get_running_loop().create_future()
