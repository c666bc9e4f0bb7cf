"""A vault that is not what was written is refused with one clear line, never half-read."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from vault_worlds import in_a_file, in_postgres

from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import Vault, VaultDamaged, open_vault
from jupyter_valet.wire.errors import ValetError

posix = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX")


def refused(open_it: Callable[[], Vault]) -> str:
    """Open the vault, see it refuse, and return the line that a person reads."""
    with pytest.raises(ValetError) as caught:
        open_it().close()
    assert "\n" not in str(caught.value)
    return caught.value.message


def test_swapped_ciphertexts_are_refused(filled: Path, open_again, sql) -> None:
    """R163: the policy of one record with the secret of another."""
    (one,), (two,) = sql("SELECT sealed FROM record ORDER BY id")
    sql("UPDATE record SET sealed = ? WHERE id = 'one'", two)
    sql("UPDATE record SET sealed = ? WHERE id = 'two'", one)
    assert "was changed or does not belong here" in refused(open_again)


@pytest.mark.parametrize(
    "change",
    [
        "meta = replace(meta, 'one.example', 'two.example')",
        "revision = revision + 100",
        "updated_at = updated_at + 1",
        "id = 'three'",
        "kind = 'oauth_app'",
        "key_version = 9",
        "meta = 7",
        "sealed = ''",
        "sealed = 'text'",
    ],
)
def test_an_edited_column_is_refused(filled: Path, open_again, sql, change: str) -> None:
    """R164: everything that stands beside the ciphertext is authenticated."""
    sql(f"UPDATE record SET {change} WHERE id = 'one'")
    refused(open_again)


@in_a_file
@pytest.mark.parametrize("change", ["revision = 'text'", "updated_at = 'text'"])
def test_a_column_of_another_type_is_refused(filled: Path, open_again, sql, change: str) -> None:
    """SQLite stores what it is given; PostgreSQL refuses it by itself."""
    sql(f"UPDATE record SET {change} WHERE id = 'one'")
    refused(open_again)


@in_a_file
def test_a_record_of_another_vault_is_refused(filled: Path, open_again, sql) -> None:
    """R165: even when both vaults have the same key."""
    vault_id = str(sql("SELECT id FROM vault")[0][0])
    sql("UPDATE vault SET id = 'another'")
    assert "another vault's" in refused(open_again)
    key = filled / "keys" / "key-ring"
    key.write_text(key.read_text().replace(vault_id, "another"))
    assert "does not belong here" in refused(open_again)


@in_a_file
def test_every_flipped_bit_is_refused_or_harmless(filled: Path) -> None:
    """R166: a damaged byte never yields a wrong record."""
    database = filled / "vault.db"
    sound = database.read_bytes()
    with_vault = open_vault(filled, "file")
    expected = with_vault.list("connection")
    with_vault.close()
    sound = database.read_bytes()
    chance = random.Random(1)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(sound)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        database.write_bytes(damaged)
        try:
            vault = open_vault(filled, "file")
        except ValetError:
            outcomes.add("refused")
            continue
        assert vault.list("connection") == expected
        outcomes.add("harmless")
        vault.close()
        for left in ("vault.db-wal", "vault.db-shm"):
            (filled / left).unlink(missing_ok=True)
    assert outcomes == {"refused", "harmless"}


@in_a_file
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_a_truncated_vault_is_refused(filled: Path, open_again, share: float) -> None:
    """R166."""
    database = filled / "vault.db"
    os.truncate(database, int(database.stat().st_size * share))
    refused(open_again)


@in_a_file
def test_a_file_that_is_no_vault_is_refused(filled: Path, open_again) -> None:
    (filled / "vault.db").write_bytes(b"this is no database at all" * 400)
    assert "no database" in refused(open_again)


@in_a_file
def test_a_foreign_table_or_trigger_is_refused(filled: Path, open_again, sql) -> None:
    sql("CREATE TRIGGER spy AFTER INSERT ON record BEGIN DELETE FROM redeemed; END")
    assert "not a vault" in refused(open_again)


def test_a_deleted_record_is_noticed(filled: Path, open_again, sql) -> None:
    sql("DELETE FROM record WHERE id = 'one'")
    assert "records are missing" in refused(open_again)


def test_a_forgotten_token_is_noticed(filled: Path, open_again, sql) -> None:
    """A token that was used must not become unused again."""
    sql("DELETE FROM redeemed")
    assert "records are missing" in refused(open_again)


def test_a_single_record_that_was_set_back_is_noticed(world, filled: Path, sql) -> None:
    """R167 for one record: its seal is genuine, and it is not the newest."""
    old = sql("SELECT * FROM record WHERE id = 'one'")[0]
    vault = world.open()
    vault.put("connection", "one", {"origins": []}, Secret("rotated"))
    vault.close()
    world.put_back("record", old)
    assert "older state" in refused(world.open)


def test_a_rolled_back_vault_is_refused(world, filled: Path) -> None:
    """R167: a revoked connection must not come back."""
    backup = world.snapshot()
    vault = world.open()
    vault.delete("connection", "one")
    vault.close()
    world.restore(backup)
    assert "rolled back" in refused(world.open)


def test_an_old_state_in_a_new_vault_is_refused(world, filled: Path, sql) -> None:
    """The sealed sum cannot be taken from another generation."""
    old = sql("SELECT * FROM state")[0]
    vault = world.open()
    vault.put("connection", "three", {}, Secret("t"))
    vault.close()
    world.put_back("state", old)
    refused(world.open)


def test_a_claimed_generation_is_not_believed(filled: Path, open_again, sql) -> None:
    sql("UPDATE state SET generation = generation + 1000")
    assert "state was changed" in refused(open_again)


@in_a_file
@pytest.mark.parametrize("names", [["vault.db"], ["vault.db", "keys/witness"]])
def test_a_deleted_vault_is_an_error_and_no_new_beginning(
    filled: Path, open_again, names: list[str]
) -> None:
    """R169: never a silent new vault, into which the person would type everything again."""
    for name in names:
        (filled / name).unlink()
    assert "file is missing" in refused(open_again)
    assert not (filled / "vault.db").exists()


def test_a_deleted_witness_is_noticed(filled: Path, open_again) -> None:
    (filled / "keys" / "witness").unlink()
    assert "witness is missing" in refused(open_again)


@pytest.mark.parametrize("damage", [b"", b"x" * 1024])
def test_a_damaged_witness_is_noticed(filled: Path, open_again, damage: bytes) -> None:
    (filled / "keys" / "witness").write_bytes(damage)
    assert "witness" in refused(open_again)


def test_one_torn_slot_of_the_witness_is_survived(filled: Path, open_again) -> None:
    witness = filled / "keys" / "witness"
    data = witness.read_bytes()
    for torn in (b"\0" * 512 + data[512:], data[:512] + b"\0" * 512):
        witness.write_bytes(torn)
        open_again().close()


def test_a_witness_that_runs_ahead_cannot_be_forged(filled: Path, open_again) -> None:
    witness = filled / "keys" / "witness"
    witness.write_bytes(witness.read_bytes().replace(b'"generation":', b'"generation":9'))
    assert "witness" in refused(open_again)


@pytest.mark.parametrize("contents", [b"", b"{}", b"[1]", b'{"keys":{}}', b"\xff\xfe"])
def test_a_damaged_key_file_is_refused(filled: Path, open_again, contents: bytes) -> None:
    (filled / "keys" / "key-ring").write_bytes(contents)
    assert "key file is damaged" in refused(open_again)


def test_a_missing_key_file_is_refused(filled: Path, open_again) -> None:
    (filled / "keys" / "key-ring").unlink()
    assert "key of the vault is not available" in refused(open_again)


def test_another_key_is_refused(filled: Path, open_again, tmp_path: Path) -> None:
    other = tmp_path / "other"
    open_vault(other, "file").close()
    shutil.copy(other / "keys" / "key-ring", filled / "keys" / "key-ring")
    assert "another vault's" in refused(open_again)


def test_the_recorded_key_source_cannot_be_changed_in_the_file(
    filled: Path, open_again, sql
) -> None:
    sql("UPDATE vault SET key_source = 'passphrase'")
    with pytest.raises(ValetError):
        open_again().close()


@in_a_file
@posix
@pytest.mark.parametrize("name", ["vault.db", "keys/key-ring", "keys/witness"])
@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_file_that_others_can_open_is_refused(
    filled: Path, open_again, name: str, mode: int
) -> None:
    """R172."""
    (filled / name).chmod(mode)
    assert "other users can open" in refused(open_again)


@in_a_file
@posix
@pytest.mark.parametrize("name", [".", "keys", "locks"])
def test_a_folder_that_others_can_open_is_refused(filled: Path, open_again, name: str) -> None:
    (filled / name).chmod(0o755)
    assert "other users can open the folder" in refused(open_again)


@in_a_file
@posix
@pytest.mark.parametrize("name", ["vault.db", "keys/key-ring", "keys/witness"])
def test_a_symbolic_link_is_refused(filled: Path, open_again, name: str, tmp_path: Path) -> None:
    """R170: a planted link."""
    (filled / name).rename(tmp_path / "elsewhere")
    (filled / name).symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refused(open_again)


@posix
def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    """R170, R171: a link that waits for the vault to be made."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "vault.db").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refused(lambda: open_vault(state, "file"))
    assert not (tmp_path / "elsewhere").exists()


@in_a_file
@posix
@pytest.mark.parametrize("name", ["vault.db", "keys/key-ring", "keys/witness"])
def test_a_hard_link_is_refused(filled: Path, open_again, name: str, tmp_path: Path) -> None:
    """R173: a second name keeps what the first one forgets."""
    os.link(filled / name, tmp_path / "second")
    assert "second name" in refused(open_again)


@posix
def test_a_folder_in_place_of_the_vault_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state" / "vault.db").mkdir(parents=True, mode=0o700)
    (tmp_path / "state").chmod(0o700)
    assert "not a plain file" in refused(lambda: open_vault(tmp_path / "state", "file"))


@in_a_file
@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs chown")
def test_a_file_of_another_user_is_refused(filled: Path, open_again) -> None:
    os.chown(filled / "vault.db", 12345, -1)
    assert "belongs to another user" in refused(open_again)


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_files_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """R172."""
    before = os.umask(umask)
    try:
        vault = open_vault(tmp_path / "state", "file")
        vault.put("connection", "1", {}, Secret("t"))
        vault.rotate()
    finally:
        os.umask(before)
    modes = {
        path: path.stat().st_mode & 0o777 for path in [tmp_path / "state", *tmp_path.rglob("*")]
    }
    vault.close()
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


@in_a_file
def test_no_file_of_the_vault_holds_a_secret_in_clear(filled: Path) -> None:
    for path in filled.rglob("*"):
        if path.is_file():
            assert b"token-one" not in path.read_bytes(), path


@in_a_file
def test_a_deleted_record_leaves_no_ciphertext(filled: Path) -> None:
    """Free pages are overwritten: a token that was revoked is not there to be attacked later."""
    vault = open_vault(filled, "file")
    sealed = vault._opened().store.record("connection", "one").sealed
    vault.delete("connection", "one")
    vault.close()
    assert sealed[-40:] not in (filled / "vault.db").read_bytes()


@in_a_file
@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there")
def test_a_vault_that_is_replaced_while_in_use_takes_no_writes(
    filled: Path, tmp_path: Path
) -> None:
    """What is written to a file without a name would be lost."""
    vault = open_vault(filled, "file")
    shutil.copy(filled / "vault.db", tmp_path / "copy")
    (tmp_path / "copy").replace(filled / "vault.db")
    with pytest.raises(VaultDamaged, match="replaced"):
        vault.put("connection", "1", {}, Secret("t"))
    vault.close()


@in_a_file
def test_a_record_that_is_edited_while_in_use_is_noticed(filled: Path, open_again, sql) -> None:
    vault = open_again()
    sql("UPDATE record SET meta = '{}' WHERE id = 'one'")
    sql("DELETE FROM record WHERE id = 'two'")
    with pytest.raises(VaultDamaged):
        vault.get("connection", "one")
    with pytest.raises(VaultDamaged):
        vault.put("connection", "one", {}, Secret("t"))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE record SET revision = revision + 1 WHERE id = 'one'",
        "UPDATE record SET sealed = '' WHERE id = 'one'",
        "DELETE FROM record",
        "DELETE FROM redeemed",
    ],
)
def test_a_vault_that_is_edited_while_in_use_takes_no_writes(
    filled: Path, open_again, sql, change: str
) -> None:
    """Or the next seal would vouch for what somebody else wrote."""
    vault = open_again()
    vault.get("connection", "one")
    sql(change)
    with pytest.raises(VaultDamaged):
        vault.put("connection", "two", {}, Secret("t"))


@in_postgres
def test_a_vault_that_is_rolled_back_while_in_use_is_noticed(world, filled: Path) -> None:
    """R167: by the broker that saw the newer one, when it next looks."""
    backup = world.snapshot()
    vault = world.open()
    vault.delete("connection", "one")
    world.restore(backup)
    with pytest.raises(VaultDamaged, match="rolled back"):
        vault.get("connection", "one")
