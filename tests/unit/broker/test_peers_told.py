"""A broker that may not look at kernels asks the server whose a connection is (R59)."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from connected import connected

from jupyter_valet.broker import control as broker_control
from jupyter_valet.broker.control import Control
from jupyter_valet.broker.gate import Gate
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.peers import PEER, Binding, Connection, binding
from jupyter_valet.server.channel import Channel, OnAsk
from jupyter_valet.server.onlooker import Onlooker
from jupyter_valet.wire import capability
from jupyter_valet.wire.control import PEER_HOLDS
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.processes import Peer, peer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a socket is"),
]


@pytest.fixture(autouse=True)
def may_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is another user: it looks at no process from here on."""

    def look(*_: object) -> bool:
        raise AssertionError("the broker looked by itself")

    monkeypatch.setattr(binding, "may_look", lambda pid: False)
    monkeypatch.setattr(binding, "belongs", look)


@contextlib.asynccontextmanager
async def joined(on_ask: OnAsk) -> AsyncIterator[Control]:
    """Join a broker's end of the control channel and a server's, which answers by `on_ask`."""
    to_server, to_broker = os.pipe(), os.pipe()
    control = Control(os.fdopen(to_broker[0], "rb"), os.fdopen(to_server[1], "wb"))
    ends = os.fdopen(to_server[0], "rb"), os.fdopen(to_broker[1], "wb")
    ended = threading.Event()
    channel = Channel(*ends, on_event=print, on_ask=on_ask, on_end=ended.set)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(control.serve)
        yield control
        channel.close()
    for end in (control._reader, control._outbox._writer):
        end.close()
    assert await anyio.to_thread.run_sync(ended.wait, 5)


class Told:
    """A server that told some processes, and counts what it is asked."""

    def __init__(self, *peers: Peer) -> None:
        self.peers = list(peers)
        self.asked: list[int] = []
        self._onlooker = Onlooker(lambda: self.peers)

    async def __call__(self, peer: Peer, inode: int) -> bool:
        self.asked.append(inode)
        return self.answer(PEER_HOLDS, {"peer": peer.to_json(), "inode": inode})["holds"] is True

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return self._onlooker.answer(method, params)


async def test_the_server_is_asked_and_one_s_own_kernel_alone_comes_in() -> None:
    with connected() as (process, ends), connected() as (other, others):
        server = Told(peer(process.pid), peer(other.pid))
        bound = Binding(peer(process.pid), server)
        assert bound.unbound == ""
        assert await bound.admits(*ends)
        assert not await bound.admits(*others)
        assert len(set(server.asked)) == 2
        assert not await bound.admits(("127.0.0.1", 1), ("127.0.0.1", 2))  # no such connection
        assert len(server.asked) == 2


async def test_without_a_server_that_looks_nothing_is_bound_and_that_is_said() -> None:
    """The control of the tests around it: what was refused there comes in here."""
    with connected() as (process, _), connected() as (_, others):
        known = peer(process.pid)
        assert known.answers
        server = Told(known)
        for bound in (
            Binding(known),
            Binding(replace(known, answers=False), server),
            Binding(replace(known, network="another"), server),
            Binding(replace(known, network=""), server),
        ):
            assert bound.unbound == binding.FORBIDDEN
            assert await bound.admits(*others)
        assert server.asked == []


async def test_in_another_numbering_of_processes_the_server_is_asked_too() -> None:
    """A broker in a container of its own, with the network of the kernels'."""
    with connected() as (process, ends), connected() as (_, others):
        told = replace(peer(process.pid), machine="another")
        bound = Binding(told, Told(told))
        assert await bound.admits(*ends)
        assert not await bound.admits(*others)
        assert Binding(told).unbound == binding.ELSEWHERE


async def test_a_door_s_address_is_seen_by_the_broker_itself() -> None:
    """Two kernels behind bubblewrap have one process in common, the server's."""
    with connected() as (process, ends):
        own = replace(peer(process.pid), address=ends[0][0])
        sibling = replace(own, address="127.77.1.3")
        server = Told(own, sibling)
        assert await Binding(own, server).admits(*ends)
        assert not await Binding(sibling, server).admits(*ends)
        assert len(server.asked) == 1


async def test_a_process_that_is_told_later_is_asked_for_then() -> None:
    with connected() as (process, ends), connected() as (_, others):
        server = Told(peer(process.pid))
        bound = Binding(Peer(awaited=True), server)
        bound.tell(peer(process.pid))
        assert bound.unbound == ""
        assert await bound.admits(*ends)
        assert not await bound.admits(*others)


async def test_the_server_is_asked_once_for_a_connection_and_by_few_at_a_time() -> None:
    now: list[int] = []
    most: list[int] = []

    async def slow(peer: Peer, inode: int) -> bool:
        now.append(inode)
        most.append(len(now))
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        now.pop()
        return True

    with connected() as (process, ends):
        bound = Binding(peer(process.pid), slow)
        connections = [Connection(*ends) for _ in range(12)]
        async with anyio.create_task_group() as tasks:
            for one in connections:
                tasks.start_soon(one.is_for, bound)
        assert max(most) <= binding.LOOKS_AT_ONCE
        for one in connections:
            assert await one.is_for(bound)
        assert len(most) == len(connections)


def test_the_server_looks_at_what_it_told_and_at_nothing_else() -> None:
    """A kernel that ended or restarted is not told any more; a number may be another's by then."""
    with connected() as (process, ends):
        told = peer(process.pid)
        inode = binding.socket_of(told, *ends)
        server = Told(told)
        asked = {"peer": told.to_json(), "inode": inode}
        assert server.answer(PEER_HOLDS, asked) == {"holds": True}
        for wrong in (
            {**asked, "inode": inode + 1},
            {**asked, "inode": 0},
            {**asked, "peer": replace(told, started=told.started - 1).to_json()},
            {**asked, "peer": peer(os.getpid()).to_json()},
        ):
            assert server.answer(PEER_HOLDS, wrong) == {"holds": False}
        server.peers.clear()
        assert server.answer(PEER_HOLDS, asked) == {"holds": False}
        with pytest.raises(ValetError):
            server.answer("status", {})


async def test_over_the_channel_itself() -> None:
    with connected() as (process, ends), connected() as (_, others):
        known = peer(process.pid)
        async with joined(Told(known).answer) as control:

            async def ask(peer: Peer, inode: int) -> bool:
                params = {"peer": peer.to_json(), "inode": inode}
                return (await control.ask(PEER_HOLDS, params))["holds"] is True

            bound = Binding(known, ask)
            assert await bound.admits(*ends)
            assert not await bound.admits(*others)


@pytest.mark.parametrize("how", ["error", "raises", "late", "not an object"])
async def test_no_answer_is_an_error_and_never_a_yes(how: str) -> None:
    release = threading.Event()

    def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
        if how == "error":
            raise ValetError("bad_request", what="x")
        if how == "late":
            release.wait(10)
        if how == "not an object":
            return True  # type: ignore[return-value]
        return {"holds": 1 // int(how == "late")}

    async with joined(answer) as control:
        with pytest.raises(ValetError) as silence:
            await control.ask(PEER_HOLDS, {}, 0.05 if how == "late" else 10)
        assert silence.value.kind.code == "server_silent"
        release.set()  # what comes too late is nobody's, and disturbs nothing


async def test_an_answer_that_nobody_asked_for_is_dropped() -> None:
    """Neither does an answer with another's number reach whoever asks."""
    control = Control(None, None)  # type: ignore[arg-type]
    for line in (b'{"id": 7, "result": {"holds": true}}', b"[]", b"3", b'{"id": null}'):
        await control._answer(line)
    sent: list[Any] = []
    control._outbox.put = sent.append  # type: ignore[method-assign]
    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            assert await control.ask(PEER_HOLDS, {"inode": 5}) == {"holds": False}

        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        number = sent[0]["id"]
        await control._answer(b'{"id": %d, "result": {"holds": true}}' % (number + 1))
        await control._answer(b'{"id": %d, "result": {"holds": false}}' % number)
    assert broker_control.ANSWER_SECONDS >= 1


async def test_while_the_server_is_silent_the_gate_lets_nobody_in() -> None:
    """Nor is it a finding: nobody saw whose the connection is."""
    token, sent, passed, told = capability.mint(), [], [], []

    async def silent(peer: Peer, inode: int) -> bool:
        raise ValetError("server_silent")

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    async def refused(caller: Caller) -> None:
        told.append(caller)

    async def send(message: Any) -> None:
        sent.append(message)

    kernels = Kernels(silent)
    with connected() as (process, ends):
        caller = Caller("owner", "k1", "a.ipynb", "http://x/")
        kernels.register(capability.digest(token), caller, peer(process.pid))
        assert "R59" not in " ".join(kernels.isolation_of("k1").unlocked)
        shown = [(b"authorization", b"Bearer " + token.encode())]
        scope = {"type": "http", "headers": shown, PEER: Connection(*ends)}
        await Gate(inner, kernels, refused)(scope, None, send)  # type: ignore[arg-type]
    assert (passed, told) == ([], [])
    assert sent[0]["status"] == 503
    assert b"server_silent" in sent[1]["body"]
