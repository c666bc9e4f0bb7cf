"""A test that does not end, ends: with the stack of each thread, and the run goes on without it.

pytest-timeout raises in the main thread, which a loop may swallow, and watches no more after that:
a fixture that then waits for ever would hold the whole run. Here C code ends the process, whatever
Python does; xdist names the test and starts another process for the rest.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator

import pytest

_STDERR = pytest.StashKey[int]()

GRACE = float(os.environ.get("JUPYTER_VALET_TEST_GRACE", "60"))
"""Seconds that a test has after its timeout to fail by itself and to put things away."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep the real standard error: what tests write to theirs is captured."""
    config.stash[_STDERR] = os.dup(2)


def _watch(config: pytest.Config, node: pytest.Item | pytest.Collector | None = None) -> None:
    own = node.get_closest_marker("timeout") if node is not None else None
    limit = config.getoption("timeout", None)
    if own is not None:
        limit = own.args[0] if own.args else own.kwargs.get("timeout", limit)
    if limit:
        seconds, stderr = float(limit) + GRACE, config.stash[_STDERR]
        faulthandler.dump_traceback_later(seconds, file=stderr, exit=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Begin to watch a test, its fixtures included."""
    _watch(item.config, item)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Watch on: pytest's own plugin stops the clock when a test fails."""
    _watch(node.config, node)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Watch what ends after the last test, too."""
    _watch(session.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Everything ended."""
    faulthandler.cancel_dump_traceback_later()
    os.close(config.stash[_STDERR])
