"""What a person gave to programs is good while Jupyter lets the person in, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jupyter_valet.broker.client import Client
from jupyter_valet.broker.clients import Admissions, Clients, JupyterTokens, Proven
from jupyter_valet.broker.clients.admission import DAYS, KIND
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.refusal import Refusal
from jupyter_valet.broker.vault import Vault, open_vault
from jupyter_valet.wire.clients import Arrival
from jupyter_valet.wire.control import OWNER

pytestmark = pytest.mark.anyio

START = 1_800_000_000.0
DAY = 86_400.0
KEY = Arrival("http://h/", "http://h/valet/mcp", "http://h/m", token="jva_x")
BY_JUPYTER = Arrival("http://h/", "http://h/valet/mcp", "http://h/m", principal="user:bob")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with closing(open_vault(tmp_path / "valet", "file")) as vault:
        yield vault


class World:
    """A key of Bob's, on a server that belongs to Jane."""

    def __init__(self, vault: Vault, owner: str = "user:jane", whose: str = "user:bob") -> None:
        self.now = START
        self.whose = whose
        self.admissions = Admissions(vault, owner, clock=lambda: self.now)
        kinds = [JupyterTokens(self.admissions.seen), self]
        self.clients = Clients(kinds, self.admissions.lasts, clock=lambda: self.now)

    def knows(self, arrival: Arrival) -> bool:
        return True

    async def prove(self, _: Arrival) -> Proven:
        return Proven(self.whose, Client("client:key:1", "editor", frozenset({"x"})), START)

    async def comes_in(self, arrival: Arrival = KEY) -> bool:
        caller = await self.clients.caller(arrival)
        assert isinstance(caller, Caller | Refusal)
        return isinstance(caller, Caller)


async def test_a_key_of_somebody_who_comes_no_more_ends(vault: Vault) -> None:
    """Whether the Hub, a share or the authorizer keeps them out: nobody tells the server."""
    world = World(vault)
    world.now += DAYS * DAY - 1
    assert await world.comes_in()
    world.now += 1
    assert not await world.comes_in()


@pytest.mark.parametrize("how", ["a page", "a token of Jupyter's"])
async def test_it_is_good_again_when_jupyter_lets_its_person_in(vault: Vault, how: str) -> None:
    world = World(vault)
    world.now += 40 * DAY
    assert not await world.comes_in()
    if how == "a page":
        world.admissions.seen("user:bob")
    else:
        assert await world.comes_in(BY_JUPYTER)
    assert await world.comes_in()
    world.now += DAYS * DAY
    assert not await world.comes_in()


@pytest.mark.parametrize(("owner", "whose"), [("user:jane", "user:jane"), (OWNER, OWNER)])
async def test_whom_the_server_belongs_to_need_not_come(
    vault: Vault, owner: str, whose: str
) -> None:
    """A key for a job of the night is good for as long as it says."""
    world = World(vault, owner, whose)
    world.now += 365 * DAY
    assert await world.comes_in()
    world.admissions.seen(whose)
    assert vault.list(KIND) == []


async def test_to_come_by_costs_one_write_a_day(vault: Vault) -> None:
    world = World(vault)
    for _ in range(3):
        world.admissions.seen("user:bob")
    [record] = vault.list(KIND)
    assert record.meta == {"principal": "user:bob", "seen_at": START}
    world.now += DAY
    world.admissions.seen("user:bob")
    assert vault.list(KIND)[0].revision > record.revision


async def test_another_process_on_the_vault_knows_who_came(vault: Vault) -> None:
    World(vault).admissions.seen("user:bob")
    other = World(vault)
    other.now += DAYS * DAY - 1
    assert await other.comes_in()
