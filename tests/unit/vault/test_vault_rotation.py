"""Rotation: every step may be the last one, and other connections go on meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vault_worlds import in_a_file

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import KeyUnavailable, Vault, rotation
from jupyter_valet.broker.vault.status import describe


class Stop(BaseException):
    """Stands for a kill at this point."""


def versions(vault: Vault) -> set[int]:
    records = vault._opened().contents().records.values()
    return {held.facts.key_version for kind in records for held in kind.values()}


def test_rotation_seals_every_record_again(vault: Vault, state_dir: Path) -> None:
    """R173: an old copy of the file does not open with the new key."""
    before = vault.put("connection", "1", {"a": 1}, Secret("token"))
    old_key = json.loads((state_dir / "keys" / "key-ring").read_text())["keys"]["1"]
    assert vault.rotate() == 2
    assert versions(vault) == {2}
    assert vault.get("connection", "1") == before
    assert old_key not in (state_dir / "keys" / "key-ring").read_text()


@in_a_file
def test_a_rotation_leaves_no_old_ciphertext(vault: Vault, state_dir: Path) -> None:
    vault.put("connection", "1", {}, Secret("token"))
    old = vault._opened().store.record("connection", "1").sealed
    vault.rotate()
    for path in state_dir.rglob("vault.db*"):
        assert old[-40:] not in path.read_bytes(), path


def test_another_connection_goes_on_during_a_rotation(vault: Vault, open_again) -> None:
    vault.put("connection", "1", {}, Secret("token"))
    other = open_again()
    for version in (2, 3, 4):
        assert vault.rotate() == version
        assert reveal(other.get("connection", "1").payload) == "token"
        other.put("connection", "1", {}, Secret("token"))
        assert versions(other) == {version}


def test_a_revision_survives_a_rotation(vault: Vault) -> None:
    """A refresh that was under way must not see a conflict because somebody rotated."""
    revision = vault.put("connection", "1", {}, Secret("token")).revision
    vault.rotate()
    vault.put("connection", "1", {}, Secret("token"), expect=revision)


def test_a_vault_with_used_tokens_rotates(vault: Vault) -> None:
    vault.redeem("token", 4e9)
    vault.rotate()
    assert vault.redeem("token", 4e9) is False


@pytest.mark.parametrize("step", ["store", "turn", "batch", "witness", "drop"])
def test_a_rotation_that_was_cut_short_is_finished_by_the_next(
    state_dir: Path, open_again, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    vault = open_again()
    for number in range(80):
        vault.put("connection", f"{number}", {}, Secret(f"token {number}"))
    expected = vault.list("connection")
    with monkeypatch.context() as cut:
        _cut(cut, vault, step)
        with pytest.raises(Stop):
            vault.rotate()
    vault.close()

    vault = open_again()
    assert vault.list("connection") == expected
    assert unfinished(state_dir) is (step != "store")
    assert vault.rotate() == 2
    assert versions(vault) == {2}
    assert unfinished(state_dir) is False
    vault.close()
    assert open_again().list("connection") == expected


def unfinished(state_dir: Path) -> bool:
    """Whether the ring holds two keys, as `key status` says of a vault in a file."""
    ring = json.loads((state_dir / "keys" / "key-ring").read_text())
    if (state_dir / "vault.db").exists():
        assert describe(state_dir)["rotation_unfinished"] is (len(ring["keys"]) > 1)
    return len(ring["keys"]) > 1


def _cut(cut: pytest.MonkeyPatch, vault: Vault, step: str) -> None:
    def stop(*args: object, **kwargs: object) -> None:
        raise Stop

    engine = vault._opened()
    real_batch = rotation._reseal_batch
    if step == "store":
        cut.setattr(engine.source, "store", stop)
    elif step == "turn":
        cut.setattr(engine, "changing", stop)
    elif step == "batch":
        done: list[int] = []

        def batch(*args: object) -> int:
            if done:
                raise Stop
            done.append(real_batch(*args))
            return done[0]

        cut.setattr(rotation, "_reseal_batch", batch)
    elif step == "witness":
        cut.setattr(engine, "renew_witness", stop)
    else:
        cut.setattr(engine, "keep_ring", stop)


def test_a_key_that_was_dropped_elsewhere_is_missed_clearly(
    vault: Vault, open_again, state_dir: Path
) -> None:
    other = open_again()
    key = (state_dir / "keys" / "key-ring").read_bytes()
    vault.rotate()
    (state_dir / "keys" / "key-ring").write_bytes(key)
    with pytest.raises(KeyUnavailable, match="version 2"):
        other.list("connection")
