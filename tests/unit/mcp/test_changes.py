"""Who listens for changes keeps nobody else waiting, and takes nobody else's place."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from jupyter_valet.broker.client import Client
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.mcp import changes as module
from jupyter_valet.broker.mcp.authentication import CALLER
from jupyter_valet.broker.mcp.changes import AT_ONCE, Changes
from jupyter_valet.broker.mcp.presence import PRESENCE

pytestmark = pytest.mark.anyio

APP = Client("client:app:x", "An app", frozenset({"tools:read"}))


class Catalogue:
    """Says when it has changed."""

    def on_change(self, listener: Callable[[Caller | None], None]) -> None:
        self.changed = listener


class Session:
    """A session of 2025-11-25; one that is stuck never takes what it is sent."""

    under_way = most = 0

    def __init__(self, *, stuck: bool = False) -> None:
        self.stuck = stuck
        self.told = anyio.Event()
        self.times = 0

    async def send_tool_list_changed(self) -> None:
        Session.under_way += 1
        Session.most = max(Session.most, Session.under_way)
        try:
            await (anyio.sleep_forever() if self.stuck else anyio.lowlevel.checkpoint())
        finally:
            Session.under_way -= 1
        self.times += 1
        self.told.set()


def somebody(principal: str, kernel: str = "", client: Client | None = None) -> Caller:
    return Caller(principal, client.id if client else kernel, "", "http://x/", client=client)


def listed(changes: Changes, caller: Caller, session: Session) -> Session:
    context: Any = SimpleNamespace(
        request=SimpleNamespace(scope={CALLER: caller, PRESENCE: None, "headers": []}),
        session=SimpleNamespace(_connection=session),
        protocol_version="2025-11-25",
    )
    changes.listed(context)
    return session


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def catalogue() -> Any:
    return Catalogue()


async def test_one_client_s_silent_sessions_keep_no_other_waiting(catalogue, monkeypatch):
    """Also no other person's, whose client has the same id; they are told a few at a time."""
    monkeypatch.setattr(module, "PATIENCE", 3600.0)
    changes = Changes(catalogue)
    Session.most = 0
    silent = [Session(stuck=True) for _ in range(1500)]
    for one in silent:
        listed(changes, somebody("user:ann", client=APP), one)
    others = [
        listed(changes, somebody("user:ben", client=APP), Session()),
        listed(changes, somebody("user:ann", "k1"), Session()),
    ]
    async with changes.running():
        catalogue.changed(None)
        with anyio.fail_after(10):
            for one in others:
                await one.told.wait()
        catalogue.changed(None)  # also the next time, while the first is still under way
        with anyio.fail_after(10):
            while others[0].times < 2:  # noqa: ASYNC110 - nothing else happens here
                await anyio.sleep(0.01)
    assert Session.most <= AT_ONCE + len(others)


async def test_a_silent_session_is_given_up_and_the_next_change_told(catalogue, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    changes = Changes(catalogue)
    caller = somebody("user:ann", client=APP)
    stuck = listed(changes, caller, Session(stuck=True))
    async with changes.running():
        catalogue.changed(caller)
        await anyio.sleep(0.05)
        stuck.stuck = False
        catalogue.changed(caller)
        with anyio.fail_after(10):
            await stuck.told.wait()


async def test_a_kernel_whose_notebook_is_renamed_goes_on_listening(catalogue):
    changes = Changes(catalogue)
    session = listed(changes, Caller("jane", "k1", "a.ipynb", "http://x/"), Session())
    async with changes.running():
        catalogue.changed(Caller("jane", "k1", "b.ipynb", "http://x/"))
        with anyio.fail_after(10):
            await session.told.wait()


async def test_sessions_that_ended_are_forgotten(catalogue):
    changes = Changes(catalogue)
    listed(changes, somebody("user:ann", client=APP), Session())
    async with changes.running():
        catalogue.changed(somebody("user:ben"))
        await anyio.sleep(0.01)
    assert not changes._audiences
