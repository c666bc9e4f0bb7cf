"""API keys for programs outside of the notebooks: made once, kept as a digest, ended at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_valet.broker.audit import Audit, read_audit
from jupyter_valet.broker.client import Client
from jupyter_valet.broker.clients import Admissions, ClientKeys, Clients, Ending, Refused
from jupyter_valet.broker.clients.key import DAY, KIND
from jupyter_valet.broker.elicitation import Transactions
from jupyter_valet.broker.kernels import Caller
from jupyter_valet.broker.policy import Grant, Grants, Subject
from jupyter_valet.broker.refusal import Refusal
from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.vault import Vault, open_vault
from jupyter_valet.wire.clients import KEY_PREFIX, Arrival
from jupyter_valet.wire.errors import ValetError
from jupyter_valet.wire.views import TransactionState

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class World:
    """A vault, its keys, and a clock that the test sets."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.now = 1_800_000_000.0
        self.vault = vault
        self.log = folder / "audit.jsonl"
        self.audit = Audit(self.log, vault.key("audit"), lambda *_: None)
        self.grants = Grants(vault, self.audit)
        self.transactions = Transactions(vault)
        self.ending = Ending(self.grants, self.transactions)
        self.keys = self.another()

    def another(self) -> ClientKeys:
        return ClientKeys(self.vault, self.audit, self.ending, clock=lambda: self.now)

    def make(self, name: str = "editor", days: int = 90) -> str:
        return self.keys.make("owner", name, ["tools:read"], days)[1]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    vault = open_vault(tmp_path / "valet", "file")
    world = World(tmp_path, vault)
    yield world
    world.audit.close()
    vault.close()


def arrival(token: str) -> Arrival:
    return Arrival("http://h/", "http://h/valet/mcp", "http://h/m", token=token)


async def test_a_key_proves_its_person_its_name_and_its_scopes(world: World) -> None:
    token = world.make()
    proven = await world.keys.prove(arrival(token))
    assert proven.principal == "owner"
    assert (proven.client.name, proven.client.scopes) == ("editor", {"tools:read"})
    assert proven.client.id.startswith("client:key:")
    assert proven.client.expires_at == world.now + 90 * DAY


async def test_a_key_has_256_random_bits_and_is_kept_as_its_digest_alone(world: World) -> None:
    """RS-13: neither the vault's files nor what it hands out hold it."""
    token = world.make()
    assert len(token.removeprefix(KEY_PREFIX)) == 43
    [record] = world.vault.list(KIND)
    assert token not in str(record.meta) + record.id + reveal(record.payload)
    assert token not in world.log.read_text()


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "x", str.upper, lambda _: ""])
async def test_another_key_is_refused(world: World, change) -> None:
    token = change(world.make())
    with pytest.raises(Refused):
        await world.keys.prove(arrival(token))


async def test_a_key_expires(world: World) -> None:
    """RS-04."""
    token = world.make(days=7)
    world.now += 7 * DAY - 1
    await world.keys.prove(arrival(token))
    world.now += 1
    with pytest.raises(Refused):
        await world.keys.prove(arrival(token))
    assert [key.name for key in world.keys.of("owner")] == ["editor"], "the person still sees it"


async def test_a_revoked_key_is_refused_also_by_another_process(world: World) -> None:
    token, other = world.make(), world.another()
    await other.prove(arrival(token))
    world.keys.revoke("owner", world.keys.of("owner")[0].id)
    for keys in (world.keys, other):
        with pytest.raises(Refused):
            await keys.prove(arrival(token))


async def test_its_last_use_is_written_once_a_minute_at_most(world: World) -> None:
    token = world.make()
    revisions = []
    for seconds in (0, 30, 29, 1):
        world.now += seconds
        await world.keys.prove(arrival(token))
        [record] = world.vault.list(KIND)
        revisions.append(record.revision)
    assert revisions[0] == revisions[1] == revisions[2] < revisions[3]
    assert world.keys.of("owner")[0].last_used_at == world.now


async def test_a_use_does_not_bring_a_revoked_key_back(world: World, monkeypatch) -> None:
    """The time of use is written for the record that was read, not for one of the same name."""
    token = world.make()
    get = world.vault.get

    def revoked_meanwhile(kind: str, id: str):
        record = get(kind, id)
        if record is not None and kind == KIND:
            world.vault.delete(kind, id)
        return record

    monkeypatch.setattr(world.vault, "get", revoked_meanwhile)
    with pytest.raises(Refused):
        await world.keys.prove(arrival(token))
    assert world.keys.of("owner") == []


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [
        ("", ["tools:read"], 90),
        ("x" * 81, ["tools:read"], 90),
        ("a\x1b[31m", ["tools:read"], 90),
        ("a", [], 90),
        ("a", ["repo"], 90),
        ("a", ["tools:read", "tools:all"], 90),
        ("a", ["tools:read"], 0),
        ("a", ["tools:read"], 366),
    ],
)
def test_a_key_without_a_name_a_known_scope_or_an_end_is_not_made(
    world: World, name: str, scopes: list[str], days: int
) -> None:
    with pytest.raises(ValetError):
        world.keys.make("owner", name, scopes, days)
    assert world.keys.of("owner") == []


def test_two_keys_of_a_person_have_two_names_and_two_people_may_choose_the_same(
    world: World,
) -> None:
    world.make("editor")
    with pytest.raises(ValetError):
        world.make("editor")
    world.keys.make("user:bob", "editor", ["tools:read"], 7)
    assert len(world.keys.of("owner")) == len(world.keys.of("user:bob")) == 1


def test_nobody_revokes_the_key_of_somebody_else(world: World) -> None:
    world.make()
    with pytest.raises(ValetError):
        world.keys.revoke("user:bob", world.keys.of("owner")[0].id)
    assert len(world.keys.of("owner")) == 1


def test_with_a_key_end_its_grants_its_questions_and_its_requests(world: World) -> None:
    world.make()
    client: Client = world.keys.of("owner")[0].client
    caller = Caller("owner", client.id, "", "http://h/", client=client)
    other = Subject("owner", client="client:key:other")
    world.grants.give(Grant(Subject.of(caller), "c1", client_name=client.name))
    world.grants.give(Grant(other, "c1"))
    asked = world.transactions.create(caller, provider="demo", scopes=["a"], reason="r")
    told: list[tuple[str, str]] = []
    world.ending.on_end(lambda *who: told.append(who))
    world.keys.revoke("owner", world.keys.of("owner")[0].id)
    assert world.grants.of(caller) == []
    assert [grant.subject for grant in world.grants.of_connection("owner", "c1")] == [other]
    ended = world.transactions.get(asked.id)
    assert ended is not None
    assert ended.state is TransactionState.CANCELLED
    assert told == [("owner", client.id)]


def test_making_and_revoking_are_in_the_audit(world: World) -> None:
    world.make()
    world.keys.revoke("owner", world.keys.of("owner")[0].id)
    actions = [e["action"] for e in read_audit(world.log) if "client_key" in e["action"]]
    assert actions == ["client_key.made", "client_key.ended"]


async def test_what_no_kind_of_credential_knows_is_refused(world: World) -> None:
    """RS-06, BP-08: deny by default."""
    clients = Clients([world.keys], Admissions(world.vault, "").lasts)
    for token in ("gho_" + "a" * 36, "eyJhbGciOiJub25lIn0.e30.", "jvk_" + "a" * 43, "jvo_x"):
        refusal = await clients.caller(arrival(token))
        assert isinstance(refusal, Refusal)
        assert refusal.status == 401
