"""What a person may decide when a vault refuses, and what can be told of it meanwhile."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from vault_worlds import in_a_file

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import VaultDamaged, open_vault
from jupyter_valet.broker.vault.recovery import accept_older, set_aside
from jupyter_valet.broker.vault.status import describe


@in_a_file
def test_a_sound_vault_is_described_without_secrets(filled: Path) -> None:
    facts = describe(filled)
    assert facts["exists"]
    assert facts["problems"] == []
    assert facts["records"] == {"connection": 2}
    assert facts["key_source"] == "file"
    assert facts["key_version"] == 1
    assert facts["redeemed"] == 1
    assert "token-one" not in json.dumps(facts)


def test_describing_nothing_makes_nothing(tmp_path: Path) -> None:
    assert describe(tmp_path / "state")["exists"] is False
    assert not (tmp_path / "state").exists()


@in_a_file
def test_a_vault_in_use_can_be_described(filled: Path) -> None:
    vault = open_vault(filled)
    assert describe(filled)["records"] == {"connection": 2}
    vault.put("connection", "1", {}, Secret("t"))
    vault.close()


@in_a_file
def test_a_locked_vault_is_described_as_locked(state_dir: Path) -> None:
    open_vault(state_dir, "passphrase", prompt=lambda: Secret("correct horse")).close()
    facts = describe(state_dir)
    assert facts["locked"]
    assert facts["key_source"] == "passphrase"
    assert facts["problems"] == []


@in_a_file
def test_a_damaged_vault_is_described_with_its_problem(filled: Path) -> None:
    (filled / "vault.db").unlink()
    facts = describe(filled)
    assert facts["exists"]
    assert "file is missing" in facts["problems"][0]


@in_a_file
def test_a_backup_opens_after_a_person_accepted_it(filled: Path, tmp_path: Path) -> None:
    shutil.copy(filled / "vault.db", tmp_path / "backup")
    vault = open_vault(filled)
    vault.delete("connection", "one")
    vault.close()
    shutil.copy(tmp_path / "backup", filled / "vault.db")
    with pytest.raises(VaultDamaged):
        open_vault(filled)
    accept_older(filled)
    vault = open_vault(filled)
    assert reveal(vault.get("connection", "one").payload) == "token-one"
    vault.close()


@in_a_file
def test_a_damaged_vault_cannot_be_accepted(filled: Path, sql) -> None:
    sql("DELETE FROM record WHERE id = 'one'")
    with pytest.raises(VaultDamaged, match="missing"):
        accept_older(filled)


@in_a_file
def test_setting_a_vault_aside_deletes_nothing(filled: Path) -> None:
    (filled / "audit.jsonl").write_text("{}\n")
    (filled / "vault.db").chmod(0o644)
    aside = set_aside(filled)
    fresh = open_vault(filled, "file")
    assert fresh.list("connection") == []
    fresh.close()
    assert not (filled / "audit.jsonl").exists()
    (aside / "vault.db").chmod(0o600)
    old = open_vault(aside)
    assert len(old.list("connection")) == 2
    old.close()
