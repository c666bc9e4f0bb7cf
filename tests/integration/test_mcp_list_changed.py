"""A client hears that its list of tools has changed, in both revisions; nobody else does.

Sources: specification 2026-07-28 `basic/patterns/subscriptions`, 2025-11-25 `server/tools`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp_world import World, served

from jupyter_valet.broker.kernels import Caller

pytestmark = pytest.mark.anyio


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        yield built


def caller(here: World, token: str) -> Caller:
    found = here.kernels.find(token)
    assert found is not None
    return found


async def test_a_subscription_of_2026_07_28_hears_of_its_own_changes(here):
    token, other = here.kernel("k1"), here.kernel("k2")
    async with (
        here.client(token, "2026-07-28") as client,
        here.client(other, "2026-07-28") as stranger,
        client.listen(tools_list_changed=True) as mine,
        stranger.listen(tools_list_changed=True) as theirs,
    ):
        heard: list[Any] = []

        async def overhear() -> None:
            async for event in theirs:
                heard.append(event)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(overhear)
            here.calls.catalogue.changed(caller(here, token))
            with anyio.fail_after(20):
                async for event in mine:
                    assert type(event).__name__ == "ToolsListChanged"
                    break
            await anyio.sleep(0.2)
            tasks.cancel_scope.cancel()
        assert not heard


async def test_a_session_of_2025_11_25_is_told_on_its_own_stream(here):
    told = anyio.Event()

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification) or isinstance(
            getattr(message, "root", None), types.ToolListChangedNotification
        ):
            told.set()

    async with here.client(here.kernel(), "legacy", message_handler=on_message) as client:
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.tools.list_changed is True
        await client.list_tools()
        with anyio.fail_after(20):
            while not told.is_set():
                here.calls.catalogue.changed()
                await anyio.sleep(0.1)


async def test_a_client_that_ends_leaves_nobody_to_tell(here):
    token = here.kernel()
    async with (
        here.client(token, "2026-07-28") as client,
        client.listen(tools_list_changed=True),
    ):
        assert here.endpoint._changes._audiences
    with anyio.fail_after(20):
        while here.endpoint._changes._audiences:  # noqa: ASYNC110 - the server notices by itself
            await anyio.sleep(0.05)
