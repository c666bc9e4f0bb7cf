"""Whose a connection is, seen with real processes of this machine (R59)."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from connected import connected

from jupyter_valet.broker.gate import Gate
from jupyter_valet.broker.kernels import Caller, Kernels
from jupyter_valet.broker.peers import PEER, Binding, Connection, binding, sockets
from jupyter_valet.wire import capability
from jupyter_valet.wire.family import Family
from jupyter_valet.wire.processes import Peer, machine, peer, stat

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a socket is"),
]


def test_a_connection_is_its_process_s_and_nobody_else_s() -> None:
    with connected() as (process, ends), connected() as (other, _):
        assert binding.belongs(peer(process.pid), *ends)
        assert not binding.belongs(peer(other.pid), *ends)


def test_a_descendant_s_connection_is_the_kernel_s_too() -> None:
    with connected("sh", "-c", '"$0" "$@"; true') as (shell, ends):
        assert binding.belongs(peer(shell.pid), *ends)


def test_a_process_whose_parent_has_ended_is_known_by_its_session() -> None:
    """`nohup program &` in a cell: the shell between has ended."""
    root = subprocess.Popen(
        ["sh", "-c", "sh -c 'sleep 30 & echo $!'; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert root.stdin
    assert root.stdout
    left = int(root.stdout.readline())
    with contextlib.closing(root.stdout), root.stdin:
        known = stat(left)
        assert known is not None
        assert known.parent != root.pid
        assert left in list(Family(root.pid, peer(root.pid).started)._candidates())
        os.kill(left, 9)
    root.wait(20)


def test_a_number_that_was_given_to_another_process_is_nobody() -> None:
    with connected() as (process, ends):
        earlier = peer(process.pid)
        assert not binding.belongs(replace(earlier, started=earlier.started - 1), *ends)


def test_a_door_is_known_by_its_address_and_its_server() -> None:
    """A kernel without a network: the server makes its connections, from the kernel's address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address, source_address=("127.77.1.2", 0)):
            ours, client = listener.accept()
            with ours, connected() as (other, _):
                assert binding.belongs(peer(os.getpid(), "127.77.1.2"), client, address)
                assert not binding.belongs(peer(os.getpid(), "127.77.1.3"), client, address)
                assert not binding.belongs(peer(other.pid, "127.77.1.2"), client, address)


def test_of_a_server_s_door_its_children_are_not_part() -> None:
    """All kernels are the server's children."""
    with connected() as (process, ends):
        assert not binding.belongs(peer(os.getpid(), ends[0][0]), *ends)
        assert binding.belongs(peer(process.pid), *ends)


@pytest.mark.parametrize("find", [sockets._asked, sockets._listed])
@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_both_ways_to_ask_say_the_same(find: Any, host: str) -> None:
    """Also of a socket of IPv6 that speaks IPv4."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as client:
            client.connect((host, listener.getsockname()[1]))
            ours, address = listener.accept()
            with ours:
                inode = os.fstat(client.fileno()).st_ino
                assert find(address, ours.getsockname()) == inode
        assert find(("127.0.0.1", 1), ("127.0.0.1", 2)) == 0


def test_what_binds_nothing_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    me = peer(os.getpid())
    assert binding.unbound(me) == ""
    assert binding.unbound(Peer()) == binding.UNSAID
    assert binding.unbound(replace(me, machine="another")) == binding.ELSEWHERE

    monkeypatch.setattr(binding, "may_look", lambda pid: False)
    assert binding.unbound(me) == binding.FORBIDDEN


def test_a_process_that_has_ended_binds_and_is_nobody() -> None:
    ended = subprocess.Popen(["true"])
    known = Peer(pid=ended.pid, started=1, machine=machine())
    ended.wait()
    assert binding.unbound(known) == ""
    assert not Family(known.pid, known.started).lives


async def test_a_kernel_that_asks_before_its_process_is_told_waits_for_it() -> None:
    with connected() as (process, ends):
        bound = Binding(Peer(awaited=True))
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                assert await bound.admits(*ends)

            tasks.start_soon(ask)
            await anyio.lowlevel.checkpoint()
            bound.tell(peer(process.pid))


async def test_a_process_that_is_never_told_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed."""
    monkeypatch.setattr(binding, "WAIT_SECONDS", 0.01)
    with connected() as (_, ends):
        assert not await Binding(Peer(awaited=True)).admits(*ends)


async def test_one_connection_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look(*_: object) -> bool:
        looks.append(threading.get_ident())
        return True

    monkeypatch.setattr(binding, "belongs", look)
    bound = Binding(peer(os.getpid()))
    connection = Connection(("127.0.0.1", 1), ("127.0.0.1", 2))
    assert await connection.is_for(bound)
    assert await connection.is_for(bound)
    assert len(looks) == 1
    assert looks != [threading.get_ident()]  # and not in the loop that serves everybody
    assert await connection.is_for(Binding(peer(os.getpid())))  # a restarted kernel's is another
    assert len(looks) == 2


@pytest.mark.parametrize("scheme", ["Bearer", "bearer ", "Basic", ""])
async def test_the_gate_looks_at_every_capability_that_is_shown(scheme: str) -> None:
    """However it is written: what stands behind must not read one that was not looked at."""
    token, sent, passed, told = capability.mint(), [], [], []
    kernels = Kernels()
    with connected() as (process, ends), connected() as (_, others):
        caller = Caller("owner", "k1", "a.ipynb", "http://x/")
        kernels.register(capability.digest(token), caller, peer(process.pid))

        async def inner(scope: Any, receive: Any, send: Any) -> None:
            passed.append(scope)

        async def refused(caller: Caller) -> None:
            told.append(caller)

        async def send(message: Any) -> None:
            sent.append(message)

        gate = Gate(inner, kernels, refused)
        shown = [(b"authorization", f"{scheme} {token}".encode())]
        for headers, (client, server) in (([*shown], ends), ([(b"x", b"y"), *shown], others)):
            scope = {"type": "http", "headers": headers, PEER: Connection(client, server)}
            await gate(scope, None, send)  # type: ignore[arg-type]
    assert len(passed) == 1
    assert [known.kernel_id for known in told] == ["k1"]
    assert sent[0]["status"] == 403
    assert json.loads(sent[1]["body"])["error"]["code"] == "capability_elsewhere"


async def test_without_a_known_capability_the_gate_decides_nothing() -> None:
    passed: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    gate = Gate(inner, Kernels(), None)  # type: ignore[arg-type]
    for headers in ([], [(b"authorization", b"Bearer jvk_" + b"x" * 43)]):
        await gate({"type": "http", "headers": headers}, None, None)  # type: ignore[arg-type]
    assert len(passed) == 2


def test_what_is_not_bound_is_missing_from_the_level() -> None:
    kernels = Kernels()
    caller = Caller("owner", "k1", "a.ipynb", "http://x/")
    kernels.register("digest", caller, Peer(awaited=True))
    kernels.bind("k1", Peer())
    assert "R59" in kernels.isolation_of("k1").unlocked[-1]
    kernels.bind("unknown", Peer())  # it ended meanwhile
    kernels.register("digest", caller, peer(os.getpid()))
    assert "R59" not in " ".join(kernels.isolation_of("k1").unlocked)
