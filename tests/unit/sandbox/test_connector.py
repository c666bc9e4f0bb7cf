"""Connections are made in the domain of the ports, or not at all."""

from __future__ import annotations

import threading
import time

import pytest

from jupyter_valet.sandbox.launch.connector import Connector


def test_what_comes_before_it_is_in_the_domain_waits() -> None:
    entered, done, may_enter = threading.Event(), list[str](), threading.Event()
    finished = threading.Semaphore(0)

    def enter() -> None:
        may_enter.wait(30)
        entered.set()

    def work(name: str) -> None:
        assert entered.is_set()
        done.append(name)
        finished.release()

    connector = Connector(enter, _never)
    connector.in_turn(lambda: work("first"))
    connector.aside(lambda: work("second"), _never)
    time.sleep(0.05)
    assert done == []
    may_enter.set()
    assert finished.acquire(timeout=30)
    assert finished.acquire(timeout=30)
    assert sorted(done) == ["first", "second"]


def test_what_waits_holds_nothing_up() -> None:
    connector = Connector(lambda: None, _never)
    release, after = threading.Event(), threading.Event()
    connector.aside(lambda: release.wait(30) and None, _never)
    connector.in_turn(after.set)
    assert after.wait(30)
    release.set()


def test_where_no_thread_starts_the_other_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = Connector(lambda: None, _never)
    refused = threading.Event()

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    connector.aside(_never, refused.set)
    assert refused.wait(30)


def test_more_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has all descriptors of the supervisor's keeps it from ending what is left."""
    monkeypatch.setattr("jupyter_valet.sandbox.launch.connector.MOST_WAITING", 2)
    connector = Connector(lambda: None, _never)
    release, refused, begun = threading.Event(), threading.Event(), threading.Semaphore(0)

    def waits() -> None:
        begun.release()
        release.wait(30)

    for _ in range(2):
        connector.aside(waits, refused.set)
        assert begun.acquire(timeout=30)
    assert not refused.is_set()
    connector.aside(waits, refused.set)
    assert refused.wait(30)
    release.set()
    deadline = time.monotonic() + 30
    while not begun.acquire(timeout=0.1):  # there is room again
        assert time.monotonic() < deadline
        connector.aside(waits, refused.set)


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


def _never() -> None:
    raise AssertionError("this was not to be done")
