"""One key of a service for the vaults of many people, on several machines with one database."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from vault_worlds import PostgresWorld, in_postgres

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import KeyUnavailable, Vault, VaultDamaged, VaultUnwritable
from jupyter_valet.broker.vault.key_sources.shared_tests import KeySourceTests
from jupyter_valet.broker.vault.postgres import SealedRings, make_master_key, read_master_key
from jupyter_valet.broker.vault.ring import KeyRing

pytestmark = in_postgres

Machine = Callable[..., Vault]


@pytest.fixture
def master(tmp_path: Path) -> KeyRing:
    make_master_key(tmp_path / "service-key")
    return read_master_key(tmp_path / "service-key")


class TestSealedRings(KeySourceTests):
    """The tests of every key source."""

    @pytest.fixture
    def make(self, world: PostgresWorld, master: KeyRing) -> Callable[[], SealedRings]:
        database = world.database()
        world.sql("INSERT INTO vault VALUES ('vault-1', 'ann', 'f', 'service', true)")
        return lambda: SealedRings(database, master)


@pytest.fixture
def machine(world: PostgresWorld, master: KeyRing, tmp_path: Path) -> Machine:
    """Open a person's vault on a machine of that name, with a folder and connections of its own."""

    def opener(name: str, owner: str = "ann", ring: KeyRing = master) -> Vault:
        rings = SealedRings(world.database(), ring)
        return world.open(rings, folder=tmp_path / name / owner, owner=owner)

    return opener


def test_another_machine_opens_the_same_vault(machine: Machine, tmp_path: Path) -> None:
    one = machine("one")
    one.put("connection", "1", {}, Secret("token"))
    other = machine("other")
    assert reveal(other.get("connection", "1").payload) == "token"
    other.put("connection", "1", {}, Secret("newer"))
    assert reveal(one.get("connection", "1").payload) == "newer"
    assert one.key_source == "service"
    assert [path.name for path in (tmp_path / "one" / "ann" / "keys").iterdir()] == ["witness"]


def test_the_database_holds_no_key_in_clear(
    world: PostgresWorld, machine: Machine, master: KeyRing
) -> None:
    vault = machine("one")
    vault.put("connection", "1", {}, Secret("token"))
    keys = [*vault._opened().ring.keys.values(), *master.keys.values()]
    spelled = {form for key in keys for form in (key, base64.b64encode(key), key.hex().encode())}
    values = [value for rows in world.snapshot().values() for row in rows for value in row]
    blobs = [v if isinstance(v, bytes) else str(v).encode() for v in values]
    assert not [form for form in spelled for blob in blobs if form in blob]


def test_each_person_has_a_key_of_their_own(machine: Machine) -> None:
    ann, bob = machine("one"), machine("one", "bob")
    assert ann._opened().ring.keys != bob._opened().ring.keys


def test_machines_that_begin_together_make_one_vault(
    world: PostgresWorld, machine: Machine
) -> None:
    made: list[Vault] = []
    names = ("a", "b", "c", "d")
    begin = [
        threading.Thread(target=lambda name: made.append(machine(name)), args=n) for n in names
    ]
    for thread in begin:
        thread.start()
    for thread in begin:
        thread.join()
    assert len({vault._opened().store.header.vault_id for vault in made}) == 1
    for number, vault in enumerate(made):
        vault.put("connection", f"{number}", {}, Secret("t"))
    assert all(len(vault.list("connection")) == len(names) for vault in made)


def test_another_machine_goes_on_during_a_rotation(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    other.put("connection", "1", {}, Secret("token"))
    for version in (2, 3):
        assert one.rotate() == version
        assert reveal(other.get("connection", "1").payload) == "token"
        other.put("connection", "1", {}, Secret("token"))


def test_a_machine_that_was_off_during_a_rotation_comes_back(machine: Machine) -> None:
    """Its witness is under a key that was dropped: of a time before all that can be there now."""
    other = machine("other")
    other.put("connection", "1", {}, Secret("token"))
    other.close()
    machine("one").rotate()
    assert reveal(machine("other").get("connection", "1").payload) == "token"


@pytest.mark.parametrize("rotated", [False, True])
def test_a_machine_that_saw_a_newer_vault_refuses_an_older_one(
    world: PostgresWorld, machine: Machine, rotated: bool
) -> None:
    """R167: before a rotation as after it. A machine that never saw it cannot know."""
    one = machine("one")
    one.put("connection", "1", {}, Secret("token"))
    backup = world.snapshot()
    one.delete("connection", "1")
    if rotated:
        one.rotate()
    one.close()
    world.restore(backup)
    with pytest.raises(VaultDamaged):
        machine("one")
    assert machine("new").get("connection", "1") is not None


def test_a_witness_that_was_damaged_is_refused_there_too(machine: Machine, tmp_path: Path) -> None:
    one = machine("one")
    one.put("connection", "1", {}, Secret("token"))
    one.close()
    (tmp_path / "one" / "ann" / "keys" / "witness").write_bytes(b"x" * 1024)
    with pytest.raises(VaultDamaged, match="witness"):
        machine("one")


def test_of_two_who_turn_a_key_at_once_one_is_refused(
    world: PostgresWorld, machine: Machine, master: KeyRing
) -> None:
    """Also when the lock was lost with its session: no key may vanish under the other's records."""
    one = machine("one")
    vault_id = one._opened().store.header.vault_id
    slow, quick = SealedRings(world.database(), master), SealedRings(world.database(), master)
    first, second = slow.load(vault_id), quick.load(vault_id)
    assert first is not None
    assert second is not None
    quick.store(second.with_new_key())
    with pytest.raises(VaultUnwritable, match="another broker"):
        slow.store(first.with_new_key())
    assert one.rotate() == 2


def test_the_service_key_can_be_turned(
    world: PostgresWorld, machine: Machine, master: KeyRing
) -> None:
    for owner in ("ann", "bob"):
        machine("one", owner).put("connection", "1", {}, Secret("token"))
    both = master.with_new_key()
    rings = SealedRings(world.database(), both)
    assert rings.reseal() == 2
    assert rings.reseal() == 0
    for owner in ("ann", "bob"):
        vault = machine("one", owner, both.only(2))
        assert reveal(vault.get("connection", "1").payload) == "token"
    with pytest.raises(KeyUnavailable, match="version 2"):
        machine("one", "ann", master)


def test_another_service_s_key_opens_nothing(machine: Machine) -> None:
    machine("one").close()
    with pytest.raises(VaultDamaged, match="another service"):
        machine("one", "ann", KeyRing.new("valet.service"))


def test_a_ring_of_another_person_does_not_open(world: PostgresWorld, machine: Machine) -> None:
    for owner in ("ann", "bob"):
        machine("one", owner).close()
    world.sql(
        "UPDATE ring SET sealed = (SELECT sealed FROM ring r JOIN vault v ON v.id = r.vault"
        " WHERE v.owner = 'bob')"
    )
    with pytest.raises(VaultDamaged):
        machine("one")


@pytest.mark.parametrize(
    "contents", [b"", b"{}", KeyRing.new("ann's").to_bytes()], ids=["empty", "other", "a vault's"]
)
def test_a_file_that_is_no_service_key_is_refused(
    world: PostgresWorld, tmp_path: Path, contents: bytes
) -> None:
    path = tmp_path / "key"
    with pytest.raises(KeyUnavailable):
        read_master_key(path)
    path.write_bytes(contents)
    path.chmod(0o600)
    with pytest.raises(VaultDamaged):
        read_master_key(path)
    with pytest.raises(FileExistsError):
        make_master_key(path)
