"""What every test shares."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import jupyter_core.utils
import pytest
from hypothesis import HealthCheck, settings

# A shell lets what it starts in the background ignore interrupts, and so would all tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast examples are made and checked says most of what else the machine does.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

pytest_plugins = ["canary", "pytester", "watchdog"]
"""tests/plugins/canary.py: after all tests, no secret of theirs is in any file."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio: the product's event loop."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A real PostgreSQL (`postgres_server.py`): one for all tests of a process, if any asks."""
    from postgres_server import running_server

    with running_server() as server:
        yield server


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long text by its argument: xdist needs the same names in each of its processes.

    It also keeps tokens that a test makes up at random out of reports.
    """
    return argname if isinstance(val, str) and len(val) > 30 else None


_LOOPS: set[asyncio.AbstractEventLoop] = set()
_ensure_event_loop = jupyter_core.utils.ensure_event_loop


def _kept(*args: Any, **options: Any) -> asyncio.AbstractEventLoop:
    """Keep the loops that Jupyter's blocking clients make and never close.

    Otherwise they are warned of in whichever later test the garbage is collected in.
    """
    loop = _ensure_event_loop(*args, **options)
    _LOOPS.add(loop)
    return loop


jupyter_core.utils.ensure_event_loop = _kept
