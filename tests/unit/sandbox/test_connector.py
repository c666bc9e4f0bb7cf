"""Connections are made in the domain of the ports, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from jupyter_valet.sandbox.launch.connector import Connector


def test_what_comes_before_it_is_in_the_domain_waits() -> None:
    entered, done, may_enter = threading.Event(), list[str](), threading.Event()

    def enter() -> None:
        may_enter.wait(30)
        entered.set()

    connector: Connector[str] = Connector(enter)
    finished = threading.Event()

    def work(job: str) -> None:
        assert entered.is_set()
        done.append(job)
        if len(done) == 2:
            finished.set()

    connector.do(work, "first", "", may_wait=False)
    connector.do(work, "second", "", may_wait=True)
    time.sleep(0.05)
    assert done == []
    may_enter.set()
    assert finished.wait(30)
    assert sorted(done) == ["first", "second"]


def test_what_waits_holds_nothing_up() -> None:
    connector: Connector[str] = Connector(lambda: None)
    release, after = threading.Event(), threading.Event()
    connector.do(lambda _: release.wait(30) and None, "waits", "", may_wait=True)
    connector.do(lambda _: after.set(), "does not", "", may_wait=False)
    assert after.wait(30)
    release.set()


def test_where_no_thread_starts_the_other_job_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    connector: Connector[str] = Connector(lambda: None)
    done, over = list[str](), threading.Event()

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def work(job: str) -> None:
        done.append(job)
        over.set()

    monkeypatch.setattr(threading.Thread, "start", start)
    connector.do(work, "connect", "refuse", may_wait=True)
    assert over.wait(30)
    assert done == ["refuse"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="supervisors are Linux's")
def test_a_process_that_cannot_enter_the_domain_ends() -> None:
    """Fail closed: a supervisor that connected from outside of it would go past Landlock."""
    program = (
        "import time\n"
        "from jupyter_valet.sandbox.launch.connector import Connector\n"
        "def enter(): raise OSError(12, 'no memory')\n"
        "connector = Connector(enter)\n"
        "connector.do(print, 'connected', '', may_wait=False)\n"
        "time.sleep(60)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "The kernel was ended" in ended.stderr
