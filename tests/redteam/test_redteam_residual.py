"""The declared residue: an upstream that computes on the caller's order (R138–R140).

It stays for hosts that the person added although they echo: without `accepts_reflection` such a
host gets no credential at all (X03). The tests of the residue pass while the attack works, so that
nobody claims more than is measured.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from keyed_world import KEY, KeyedApi, KeyedWorld, keyed_world

from jupyter_valet.wire.errors import ValetError

pytestmark = [pytest.mark.anyio, pytest.mark.redteam]

Computes = Callable[[str], str]


class ComputingApi(KeyedApi):
    """Echoes as such hosts do, and computes on what it was sent where it is asked to."""

    computes: Computes = str

    async def _serve(self, request: web.Request) -> web.Response:
        if request.path == "/v1/report":
            sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return web.json_response({"echo": self.computes(sent)})
        return await super()._serve(request)


@pytest.fixture
async def api() -> AsyncIterator[ComputingApi]:
    async with ComputingApi() as api:
        api.echoes_at = {"/headers"}
        yield api


async def answer(here: KeyedWorld, api: ComputingApi, computes: Computes) -> str:
    api.computes = computes
    data: Any = (await here.call()).data
    return str(data["echo"])


def _rot13(sent: str) -> str:
    return codecs.encode(sent, "rot13")


def _pieces(sent: str) -> str:
    return "SEPARATOR".join(sent[at : at + 5] for at in range(0, len(sent), 5))


@pytest.mark.parametrize("computes", [_rot13, _pieces])
async def test_a_host_that_would_compute_gets_no_key(
    tmp_path: Path, api: ComputingApi, computes: Computes
) -> None:
    """R138–R140 without `accepts_reflection`: there is no credential to compute on."""
    api.computes = computes
    async with keyed_world(tmp_path, api) as here:
        with pytest.raises(ValetError, match="sends back the credential"):
            await here.type_key(here.ask())
        assert here.connections.find("jane", "weather") == []
    assert not any(KEY in key for key in api.sent_keys())


@pytest.fixture
async def accepted(tmp_path: Path, api: ComputingApi) -> AsyncIterator[KeyedWorld]:
    """The same host, which the person's configuration accepts."""
    async with keyed_world(tmp_path, api, accepts_reflection=[api.url]) as here:
        await here.connect()
        yield here


async def test_a_computed_echo_gets_through(accepted: KeyedWorld, api: ComputingApi) -> None:
    """R138: rot13."""
    assert codecs.decode(await answer(accepted, api, _rot13), "rot13") == KEY


async def test_pieces_among_other_letters_get_through(
    accepted: KeyedWorld, api: ComputingApi
) -> None:
    """R139: five characters at a time, with something between."""
    assert (await answer(accepted, api, _pieces)).replace("SEPARATOR", "") == KEY


async def test_slices_that_the_caller_asks_for_get_through(
    accepted: KeyedWorld, api: ComputingApi
) -> None:
    """R140: one slice a call."""
    slices = [
        await answer(accepted, api, lambda sent, at=at: sent[at : at + 12])
        for at in range(0, len(KEY), 12)
    ]
    assert "".join(slices) == KEY
