"""Connections are made in the domain of the ports, or not at all."""

from __future__ import annotations

import contextlib
import errno
import queue
import signal
import socket
import struct
import threading
import time
from typing import Never

import pytest

from jupyter_valet.sandbox.launch import system
from jupyter_valet.sandbox.launch.connector import WAKE, Connector, Wait


def test_what_comes_before_it_is_in_the_domain_waits() -> None:
    entered, done, may_enter = threading.Event(), list[str](), threading.Event()
    finished = threading.Semaphore(0)

    def enter() -> None:
        may_enter.wait(30)
        entered.set()

    def work(name: str) -> int:
        assert entered.is_set()
        done.append(name)
        finished.release()
        return 0

    connector = Connector(enter, _never)
    connector.in_turn(lambda: work("first") and None)
    connector.aside(Wait(lambda: work("second"), lambda _: None))
    time.sleep(0.05)
    assert done == []
    may_enter.set()
    assert finished.acquire(timeout=30)
    assert finished.acquire(timeout=30)
    assert sorted(done) == ["first", "second"]


def test_what_waits_holds_nothing_up() -> None:
    connector = Connector(lambda: None, _never)
    release, after = threading.Event(), threading.Event()
    connector.aside(Wait(lambda: int(release.wait(30)), lambda _: None))
    connector.in_turn(after.set)
    assert after.wait(30)
    release.set()


def test_where_no_thread_starts_the_call_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = Connector(lambda: None, _never)
    refused: queue.SimpleQueue[int] = queue.SimpleQueue()

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    connector.aside(Wait(_never, refused.put))
    assert refused.get(timeout=30) == errno.EAGAIN


def test_more_than_run_at_once_wait_for_one_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program's four hundred threads may connect at once, and descriptors have an end."""
    monkeypatch.setattr("jupyter_valet.sandbox.launch.connector.AT_ONCE", 2)
    connector = Connector(lambda: None, _never)
    release, begun = threading.Semaphore(0), threading.Semaphore(0)
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()

    def waits() -> int:
        begun.release()
        release.acquire(timeout=30)
        return 0

    waiting = [Wait(waits, ended.put) for _ in range(5)]
    for wait in waiting:
        connector.aside(wait)
    assert begun.acquire(timeout=30)
    assert begun.acquire(timeout=30)
    assert not begun.acquire(timeout=0.1)
    waiting[4].give_up(errno.EINTR)  # before its turn
    assert ended.get(timeout=30) == errno.EINTR
    for _ in range(4):
        release.release()
    assert [ended.get(timeout=30) for _ in range(4)] == [0, 0, 0, 0]
    assert ended.empty()
    assert begun.acquire(timeout=30)
    assert begun.acquire(timeout=30)
    assert not begun.acquire(timeout=0.1)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="supervisors are Linux's")
def test_a_call_that_waits_is_broken_off() -> None:
    """The person pressed Interrupt, or whoever waited is gone."""
    before = signal.signal(WAKE, lambda *_: None)
    try:
        connector = Connector(lambda: None, _never)
        ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            address = struct.pack(
                "=H2s4s8s", 2, server.getsockname()[1].to_bytes(2), b"\x7f\0\0\1", b""
            )
            with contextlib.ExitStack() as full:
                for _ in range(4):
                    full.enter_context(client := socket.socket()).setblocking(False)
                    client.connect_ex(server.getsockname())
                last = full.enter_context(socket.socket())
                wait = Wait(lambda: system.connect(last.fileno(), address), ended.put)
                connector.aside(wait)
                deadline = time.monotonic() + 30
                while ended.empty():
                    assert time.monotonic() < deadline
                    wait.break_off()
                    time.sleep(0.02)
                assert ended.get() == errno.EINTR
                assert wait.over
                assert not wait.break_off()
    finally:
        signal.signal(WAKE, before)


def test_a_call_that_another_signal_interrupts_goes_on() -> None:
    """ "Restart" is an answer for who has a signal: a program without would see error 512."""
    connector = Connector(lambda: None, _never)
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    said = iter([errno.EINTR, errno.EINTR, 0])
    connector.aside(Wait(lambda: next(said), ended.put))
    assert ended.get(timeout=30) == 0


def test_where_the_domain_cannot_be_entered_nothing_connects_and_the_kernel_ends(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Fail closed: a supervisor that connected from outside of it would go past Landlock."""
    ended, connected = threading.Event(), threading.Event()

    def enter() -> None:
        raise OSError(12, "no memory")

    connector = Connector(enter, ended.set)
    connector.in_turn(connected.set)
    assert ended.wait(30)
    deadline = time.monotonic() + 30
    while "The kernel was ended" not in (said := capfd.readouterr().err):
        assert time.monotonic() < deadline, said
        time.sleep(0.01)
    assert not connected.is_set()


def _never() -> Never:
    raise AssertionError("this was not to be done")
