"""Every key source passes the same tests; then each has its own."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from vault_worlds import in_a_file

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import (
    KeyUnavailable,
    PassphraseRefused,
    VaultDamaged,
    VaultLocked,
    open_vault,
)
from jupyter_valet.broker.vault.key_sources import KeySource, Unsuitable, choose, named, os_keyring
from jupyter_valet.broker.vault.key_sources.file import FileSource
from jupyter_valet.broker.vault.key_sources.os_keyring import KeyringSource
from jupyter_valet.broker.vault.key_sources.passphrase import PassphraseSource
from jupyter_valet.broker.vault.key_sources.shared_tests import KeySourceTests
from jupyter_valet.broker.vault.ring import KeyRing
from jupyter_valet.broker.vault.sealing import Cost

CHEAP = Cost(passes=1, memory=64, lanes=1)


class MemoryKeyring:
    """A keyring backend that keeps its items in memory."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, user: str) -> str | None:
        return self.items.get((service, user))

    def set_password(self, service: str, user: str, password: str) -> None:
        self.items[service, user] = password

    def delete_password(self, service: str, user: str) -> None:
        del self.items[service, user]


@pytest.fixture
def memory_keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    backend = MemoryKeyring()
    monkeypatch.setattr(os_keyring, "_backend", lambda: backend)
    monkeypatch.setattr(os_keyring, "_check_open", lambda: None)
    return backend


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir(mode=0o700)
    return tmp_path / "keys"


class TestFile(KeySourceTests):
    @pytest.fixture
    def make(self, keys: Path) -> Callable[[], KeySource]:
        return lambda: FileSource(keys)


class TestPassphrase(KeySourceTests):
    @pytest.fixture
    def make(self, keys: Path) -> Callable[[], KeySource]:
        return lambda: PassphraseSource(keys, lambda: Secret("correct horse"), CHEAP)


class TestKeyring(KeySourceTests):
    @pytest.fixture
    def make(self, memory_keyring: MemoryKeyring) -> Callable[[], KeySource]:
        return KeyringSource


def passphrase_source(keys: Path, passphrase: str | None, cost: Cost = CHEAP) -> PassphraseSource:
    prompt = None if passphrase is None else lambda: Secret(passphrase)
    return PassphraseSource(keys, prompt, cost)


def test_a_wrong_passphrase_is_refused(keys: Path) -> None:
    passphrase_source(keys, "correct horse").store(KeyRing.new("v"))
    with pytest.raises(PassphraseRefused, match="does not open"):
        passphrase_source(keys, "wrong horse").load("v")


def test_without_a_passphrase_the_vault_is_locked(keys: Path) -> None:
    passphrase_source(keys, "correct horse").store(KeyRing.new("v"))
    with pytest.raises(VaultLocked):
        passphrase_source(keys, None).load("v")


def test_a_short_passphrase_makes_no_vault(keys: Path) -> None:
    with pytest.raises(PassphraseRefused, match="at least 8"):
        passphrase_source(keys, "short").store(KeyRing.new("v"))


def test_the_passphrase_is_asked_for_once(keys: Path) -> None:
    passphrase_source(keys, "correct horse").store(KeyRing.new("v"))
    source = passphrase_source(keys, None)
    source.offer(Secret("correct horse"))
    ring = source.load("v")
    source.store(ring.with_new_key())
    assert len(source.load("v").keys) == 2


def test_weakened_parameters_are_refused_before_anything_is_computed(keys: Path) -> None:
    """The floor is ours: an attacker who can write the file must not make guessing cheap."""
    passphrase_source(keys, "correct horse").store(KeyRing.new("v"))
    source = passphrase_source(keys, "correct horse", Cost())
    with pytest.raises(VaultDamaged, match="weakened"):
        source.load("v")


def test_other_parameters_do_not_open_the_ring(keys: Path) -> None:
    """The parameters are authenticated."""
    passphrase_source(keys, "correct horse").store(KeyRing.new("v"))
    file = keys / "key-ring-sealed"
    slot = json.loads(file.read_bytes())
    file.write_text(json.dumps({**slot, "cost": [2, 64, 1]}))
    with pytest.raises(PassphraseRefused):
        passphrase_source(keys, "correct horse").load("v")


def test_parameters_that_would_take_for_ever_are_refused(keys: Path) -> None:
    passphrase_source(keys, "correct horse").store(KeyRing.new("v"))
    file = keys / "key-ring-sealed"
    slot = json.loads(file.read_bytes())
    for cost in ([10**6, 64, 1], [3, 10**9, 1], [3, 64, 10**6], ["a", 1, 1], [1], None):
        file.write_text(json.dumps({**slot, "cost": cost}))
        with pytest.raises(VaultDamaged):
            passphrase_source(keys, "correct horse").load("v")


def test_the_sealed_ring_shows_no_key(keys: Path) -> None:
    ring = KeyRing.new("v")
    passphrase_source(keys, "correct horse").store(ring)
    stored = (keys / "key-ring-sealed").read_bytes()
    assert ring.keys[1] not in stored
    assert ring.to_bytes() not in stored


def test_a_ring_does_not_print_its_keys() -> None:
    ring = KeyRing.new("v")
    assert str(ring.keys[1]) not in repr(ring)


def test_a_keyring_that_loses_the_key_is_noticed(memory_keyring: MemoryKeyring) -> None:
    memory_keyring.set_password = lambda *item: None
    with pytest.raises(KeyUnavailable, match="did not keep"):
        KeyringSource().store(KeyRing.new("v"))


def test_a_keyring_that_hangs_does_not_hang_us(
    memory_keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    memory_keyring.get_password = lambda *item: answered.wait(30)
    monkeypatch.setattr(os_keyring, "_PATIENCE", 0.05)
    with pytest.raises(KeyUnavailable, match="does not answer"):
        KeyringSource().load("v")
    answered.set()


def test_what_a_keyring_says_when_it_fails_is_not_repeated(memory_keyring: MemoryKeyring) -> None:
    def fail(*item: str) -> None:
        raise RuntimeError("secret-text")

    memory_keyring.get_password = fail
    with pytest.raises(KeyUnavailable) as caught:
        KeyringSource().load("v")
    assert "secret-text" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="D-Bus")
def test_the_keyring_library_never_chooses_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its choice may be a plaintext file, or code that the environment names (notes, 2.7)."""
    import keyring.core

    def chosen(*args: object, **kwargs: object) -> None:
        raise AssertionError("keyring chose a backend")

    _without_bus(monkeypatch)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr(keyring.core, "init_backend", chosen)
    with pytest.raises(Unsuitable):
        KeyringSource().check()


def _without_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")


@pytest.mark.skipif(os.name != "posix", reason="D-Bus")
def test_a_headless_machine_says_why_it_has_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_bus(monkeypatch)
    with pytest.raises(Unsuitable) as caught:
        KeyringSource().check()
    assert str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="D-Bus")
def test_auto_takes_a_key_file_where_there_is_no_keyring(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_bus(monkeypatch)
    assert choose("auto", keys).name == "file"


def test_auto_takes_the_keyring_where_there_is_one(keys: Path, memory_keyring) -> None:
    assert choose("auto", keys).name == "keyring"


@pytest.mark.skipif(os.name != "posix", reason="D-Bus")
def test_nothing_weaker_replaces_a_keyring_that_was_asked_for(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_bus(monkeypatch)
    with pytest.raises(KeyUnavailable, match="cannot be used"):
        choose("keyring", keys)


def test_an_unknown_key_source_is_refused(keys: Path) -> None:
    with pytest.raises(KeyUnavailable, match="choose one of"):
        named("plaintext", keys)


@in_a_file
def test_the_choice_is_recorded_and_never_changes_silently(
    state_dir: Path, memory_keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = open_vault(state_dir, "auto")
    vault.put("connection", "1", {}, Secret("t"))
    vault.close()
    monkeypatch.undo()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    for wanted in ("auto", "keyring"):
        with pytest.raises(KeyUnavailable, match="keyring"):
            open_vault(state_dir, wanted)
    with pytest.raises(KeyUnavailable, match="kept in the keyring source"):
        open_vault(state_dir, "file")


@in_a_file
def test_a_keyring_remembers_how_far_the_vault_had_got(
    state_dir: Path, memory_keyring: MemoryKeyring, tmp_path: Path
) -> None:
    """R168: the vault and its witness are put back together; the keyring knows better."""
    import shutil

    open_vault(state_dir, "keyring").close()
    shutil.copytree(state_dir, tmp_path / "backup")
    vault = open_vault(state_dir, "keyring")
    vault.put("connection", "1", {}, Secret("t"))
    vault.close()
    shutil.rmtree(state_dir)
    shutil.copytree(tmp_path / "backup", state_dir)
    with pytest.raises(VaultDamaged, match="rolled back"):
        open_vault(state_dir, "keyring")


@in_a_file
def test_a_vault_with_a_passphrase_opens_when_it_is_typed(state_dir: Path) -> None:
    vault = open_vault(state_dir, "passphrase")
    assert vault.locked
    assert vault.needs_new_passphrase
    with pytest.raises(VaultLocked):
        vault.get("connection", "1")
    vault.unlock(Secret("correct horse"))
    assert not vault.locked
    vault.put("connection", "1", {}, Secret("token"))
    vault.close()

    vault = open_vault(state_dir)
    assert vault.locked
    assert not vault.needs_new_passphrase
    with pytest.raises(PassphraseRefused):
        vault.unlock(Secret("wrong horse"))
    assert vault.locked
    vault.unlock(Secret("correct horse"))
    assert reveal(vault.get("connection", "1").payload) == "token"
    assert vault.rotate() == 2
    vault.close()

    vault = open_vault(state_dir, prompt=lambda: Secret("correct horse"))
    assert reveal(vault.get("connection", "1").payload) == "token"
    vault.close()


@in_a_file
def test_a_short_first_passphrase_can_be_typed_again(state_dir: Path) -> None:
    vault = open_vault(state_dir, "passphrase")
    with pytest.raises(PassphraseRefused):
        vault.unlock(Secret("short"))
    vault.unlock(Secret("long enough"))
    assert not vault.locked
    vault.close()
