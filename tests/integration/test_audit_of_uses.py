"""The audit's line of a use: in the file before the answer, or there is no answer."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mcp_world import World, served, text

from jupyter_valet.broker.egress import lines
from jupyter_valet.broker.vault import VaultUnreachable, VaultUnsure, VaultUnwritable

pytestmark = pytest.mark.anyio

ISSUES = {"project": "tidepool"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with served(tmp_path) as built:
        built.connect()
        yield built


async def call(here: World, token: str) -> Any:
    async with here.client(token, "2026-07-28", None) as client:
        return await client.call_tool("demo_list_issues", ISSUES)


async def test_a_use_is_in_the_file_while_its_answer_is_on_the_way(
    here: World, tmp_path: Path
) -> None:
    """Whatever becomes of the answer, and of the broker: the credential has left."""
    found: list[str] = []

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        found.extend((tmp_path / "audit.jsonl").read_text().splitlines()[-1:])
        return web.json_response([])

    here.upstream.handler = slow
    assert not (await call(here, here.kernel())).is_error
    assert '"connection.used"' in found[0]


async def test_a_use_that_upstream_refuses_was_one(here: World) -> None:
    here.upstream.handler = lambda request: _refused()
    await call(here, here.kernel())
    assert [a for a in here.actions() if a.startswith("connection.")][-2:] == [
        "connection.used",
        "connection.refused",
    ]


async def _refused() -> web.Response:
    challenge = 'Bearer error="insufficient_scope", scope="issues:write"'
    return web.json_response({}, status=403, headers={"WWW-Authenticate": challenge})


class FullDisk:
    """Refuses the audit's lines until there is room."""

    def __init__(self, here: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        write = os.write

        def on_a_full_disk(fd: int, data: bytes) -> int:
            if self.full and fd == here.policy.audit._fd:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(fd, data)

        monkeypatch.setattr(os, "write", on_a_full_disk)


async def test_without_a_line_there_is_no_answer_and_then_no_request(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be recorded must not be done; it goes on by itself once there is room."""
    token, disk = here.kernel(), FullDisk(here, monkeypatch)
    for _ in range(3):
        result = await call(here, token)
        assert result.is_error
        assert "audit_unwritable" in text(result)
        assert "Tides" not in text(result)
        assert len(here.upstream.requests) == 1
    disk.full = False
    assert not (await call(here, token)).is_error
    assert len(here.upstream.requests) == 2


async def test_of_calls_that_dial_at_once_one_at_most_goes_without_a_line(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether lines can be written is looked at right before a request is sent."""
    token, vetted = here.kernel(), lines.vetted

    async def slowly(destination: Any) -> Any:
        await asyncio.sleep(0.5)
        return await vetted(destination)

    monkeypatch.setattr(lines, "vetted", slowly)
    FullDisk(here, monkeypatch)
    results = await asyncio.gather(*(call(here, token) for _ in range(8)))
    assert all("audit_unwritable" in text(result) for result in results)
    assert len(here.upstream.requests) <= 1


async def test_each_hop_of_a_redirect_has_a_line_or_is_not_sent(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there was no room when it began."""
    token = here.kernel()

    async def onward(request: web.Request) -> web.Response:
        if len(here.upstream.requests) % 4 == 0:
            return web.json_response([])
        return web.Response(status=307, headers={"Location": str(request.rel_url)})

    here.upstream.handler = onward
    assert not (await call(here, token)).is_error
    assert (here.actions().count("connection.used"), len(here.upstream.requests)) == (4, 4)
    disk = FullDisk(here, monkeypatch)
    here.policy.audit.sound = False
    assert "audit_unwritable" in text(await call(here, token))
    assert len(here.upstream.requests) == 4
    disk.full = False
    assert not (await call(here, token)).is_error
    assert here.actions().count("connection.used") == 8


async def test_a_connection_that_ends_while_a_call_dials_was_used(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its credential had been taken out before, and goes out."""
    token, vetted = here.kernel(), lines.vetted
    [connection] = here.connections.find("jane", "demo")

    async def ended_meanwhile(destination: Any) -> Any:
        await here.connections.end("jane", connection.id, revoke=False)
        assert here.connections.views("jane") == []
        return await vetted(destination)

    monkeypatch.setattr(lines, "vetted", ended_meanwhile)
    await call(here, token)
    assert here.actions()[-2:] == ["connection.ended", "connection.used"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
async def test_a_log_that_cannot_be_looked_at_is_said_as_what_it_is(
    here: World, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """And not as a provider that does not answer, which would be called once more."""
    token = here.kernel()

    def broken(_: Any) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(here.policy.audit, "_size", lambda: broken(0))
    assert "audit_unwritable" in text(await call(here, token))


@pytest.mark.parametrize(
    "error", [VaultUnwritable("the disk is full"), VaultUnreachable("it is away"), VaultUnsure()]
)
async def test_a_vault_that_takes_no_writes_is_good_for_reading(
    here: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The time of the last use is for people to look at; it is tried again, and not per call."""
    tried = []

    def put(*_: Any, **__: Any) -> Any:
        tried.append(1)
        raise error

    token = here.kernel()
    monkeypatch.setattr(here.vault, "put", put)
    for _ in range(3):
        assert not (await call(here, token)).is_error
    assert len(tried) == 1
