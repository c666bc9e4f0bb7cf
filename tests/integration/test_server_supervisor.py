"""A broker process's life under the supervisor; the broker is a fake that does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_valet.server.events import Events
from jupyter_valet.server.supervisor import Plan, Supervisor
from jupyter_valet.wire import control
from jupyter_valet.wire.control import StartParams
from jupyter_valet.wire.errors import ValetError

pytestmark = pytest.mark.anyio

FAKE = str(Path(__file__).with_name("fake_broker.py"))
LOG = logging.getLogger("test-supervisor")


class World:
    """A supervisor over the fake broker, and what the broker was asked."""

    def __init__(self, folder: Path, command: list[str] | None = None) -> None:
        self.record = folder / "record.jsonl"
        self.state_dir = folder / "state"
        self.events: list[tuple[str, dict[str, Any]]] = []
        fake = [sys.executable, FAKE, str(self.record), "http://localhost:1/"]
        self.plan = Plan(command or fake, self.state_dir, self._params)
        self.supervisor = Supervisor(
            self.plan, LOG, lambda name, params: self.events.append((name, params))
        )

    async def _params(self) -> StartParams:
        return StartParams(state_dir=str(self.state_dir), origin="http://127.0.0.1:8888/")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [line["params"] for line in self.lines() if line["method"] == method]

    async def crash(self) -> int:
        """Kill the broker as a crash would; return its process id once it is gone."""
        pid = await asyncio.to_thread(self.pid)
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(pid, 0)
                await asyncio.sleep(0.01)
        return pid

    def pid(self) -> int:
        """Return who answers at the broker's own port."""
        port = int(self.supervisor.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            return int(connection.recv(20))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    built = World(tmp_path)
    yield built
    await built.supervisor.stop()


def facts(kernel: str) -> dict[str, Any]:
    return {"digest": kernel * 8, "kernel_id": kernel, "principal": "owner"}


async def test_nothing_runs_before_it_is_needed(world: World) -> None:
    assert not world.record.exists()
    await world.supervisor.ensure()
    assert len(world.asked("start")) == 1


async def test_who_needs_it_at_the_same_time_gets_one_broker(world: World) -> None:
    await asyncio.gather(*(world.supervisor.call(control.STATUS, {}) for _ in range(20)))
    assert len(world.asked("start")) == 1
    assert len(world.asked("status")) == 20


async def test_the_broker_inherits_the_socket_and_nothing_secret(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D2, R53: an allow-listed environment, its own folder, no open file of the server's."""
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "CANARY")
    monkeypatch.setenv("PYTHONPATH", "/CANARY")
    await world.supervisor.ensure()
    assert "CANARY" not in json.dumps(world.asked("environ"))
    assert world.asked("cwd") == [{"cwd": "/"}]
    assert world.asked("start")[0]["listen_fd"] is not None
    assert world.state_dir.stat().st_mode & 0o777 == 0o700


async def test_a_crashed_broker_comes_back_on_the_same_port(world: World) -> None:
    """Callers wait in the socket's queue meanwhile: nobody is refused."""
    await world.supervisor.ensure()
    url = world.supervisor.url
    first = await world.crash()
    second = await asyncio.to_thread(world.pid)
    assert second != first
    assert world.supervisor.url == url


async def test_a_new_broker_knows_the_kernels_that_live_before_it_listens(world: World) -> None:
    """What waited in the socket's queue must not be told that its kernel is unknown."""
    await world.supervisor.register("one", facts("one"))
    await world.supervisor.register("two", facts("two"))
    await world.supervisor.revoke("one")
    before = len(world.lines())
    await world.crash()
    await world.supervisor.call(control.STATUS, {})
    [start] = [line for line in world.lines()[before:] if line["method"] == "start"]
    assert start["params"]["kernels"] == [facts("two")]


async def test_stopping_just_when_a_new_broker_answers_stops_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for` of Python 3.11 forgets a cancellation that comes with the answer."""
    await world.supervisor.ensure()
    stopping: list[asyncio.Task[None]] = []
    answered = asyncio.Event()
    wrap_future = asyncio.wrap_future

    def wrapped(answer: Any) -> asyncio.Future[Any]:
        future = wrap_future(answer)
        future.add_done_callback(stop)
        return future

    def stop(future: asyncio.Future[Any]) -> None:
        stopping.append(asyncio.create_task(world.supervisor.stop()))
        answered.set()

    monkeypatch.setattr(asyncio, "wrap_future", wrapped)
    await world.crash()
    await answered.wait()
    done, _ = await asyncio.wait(stopping, timeout=5)
    assert done
    with pytest.raises(ConnectionRefusedError):
        world.pid()


async def test_a_request_in_flight_fails_in_fixed_words_when_the_broker_ends(
    world: World,
) -> None:
    with pytest.raises(ValetError, match="The broker does not answer"):
        await world.supervisor.call(control.PAGE_OPEN, {"transaction": "crash"})
    await world.supervisor.call(control.STATUS, {})


async def test_a_broker_that_does_not_answer_is_not_waited_for_for_ever(world: World) -> None:
    await world.supervisor.ensure()
    with pytest.raises(ValetError, match="The broker does not answer"):
        await world.supervisor.call(control.PAGE_OPEN, {"transaction": "slow"}, 0.2)
    await world.supervisor.call(control.STATUS, {})
    assert len(world.asked("start")) == 1  # slow is not dead


async def test_a_broker_that_breaks_the_protocol_is_replaced(world: World) -> None:
    with pytest.raises(ValetError):
        await world.supervisor.call(control.PAGE_OPEN, {"transaction": "garbage"})
    await world.supervisor.call(control.STATUS, {})
    assert len(world.asked("start")) == 2


async def test_stopping_ends_the_broker_and_closes_the_port(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.supervisor.ensure()
    pid = world.pid()
    await world.supervisor.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ConnectionRefusedError):
        world.pid()
    with pytest.raises(ValetError):
        await world.supervisor.ensure()
    await world.supervisor.revoke("anything")


async def test_a_broker_that_ignores_the_end_of_its_input_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = tmp_path / "stubborn.py"
    stubborn.write_text(
        "import json, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "request = json.loads(sys.stdin.readline())\n"
        "print(json.dumps({'id': request['id'], 'result': {'port': 1}}), flush=True)\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr("jupyter_valet.server.supervisor.END_SECONDS", 0.3)
    world = World(tmp_path, [sys.executable, str(stubborn)])
    await world.supervisor.ensure()
    async with asyncio.timeout(10):
        await world.supervisor.stop()


@pytest.mark.parametrize("command", [["/nonexistent/python"], [sys.executable, "-c", "exit(3)"]])
async def test_a_broker_that_cannot_start_is_said_once_and_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, command: list[str]
) -> None:
    world = World(tmp_path, command)
    async with asyncio.timeout(10):
        with pytest.raises(ValetError, match="The broker does not answer"):
            await world.supervisor.ensure()
        await world.supervisor.stop()
    said = [r for r in caplog.records if "did not start" in r.message and r.name == LOG.name]
    assert len(said) >= 1


async def test_the_broker_s_warnings_are_warnings_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    await world.supervisor.ensure()
    await world.crash()  # so that all it had to say has been read when the next one runs
    await world.supervisor.call(control.STATUS, {})
    records = [record for record in caplog.records if "it has started" in record.message]
    assert {record.levelno for record in records} == {logging.WARNING}


async def test_a_kernel_that_the_broker_refuses_is_not_registered_later(world: World) -> None:
    await world.supervisor.ensure()
    world.supervisor._stopped = True  # as if the server were going down in between
    with pytest.raises(ValetError):
        await world.supervisor.register("late", facts("late"))
    world.supervisor._stopped = False
    await world.crash()
    await world.supervisor.call(control.STATUS, {})
    assert world.asked("capability.register") == []
    assert world.asked("start")[-1]["kernels"] == []


def test_audit_events_reach_jupyter_events() -> None:
    """The schemas of the wire are registered at the first event; what does not fit is dropped."""
    from jupyter_events import EventLogger

    logger = EventLogger()
    seen: list[Any] = []
    schema = "https://jupyter-valet.dev/events/connection"
    events = Events(logger, LOG)
    events.take("unknown", {})
    assert schema not in logger.schemas

    async def listen(logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        seen.append(data)

    async def emit() -> None:
        events._register()
        logger.add_listener(schema_id=schema, listener=listen)
        data = {"action": "connection.used", "principal": "owner", "outcome": "ok"}
        events.take("audit", {"schema_id": schema, "data": data})
        events.take("audit", {"schema_id": schema, "data": {"action": "unheard of"}})
        events.take("audit", {"schema_id": "https://elsewhere", "data": data})
        events.take("audit", {})
        await logger.gather_listeners()

    asyncio.run(emit())
    assert [data["action"] for data in seen] == ["connection.used"]
