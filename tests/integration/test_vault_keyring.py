"""The keyring source against a real Secret Service: gnome-keyring on a session bus of its own."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from keyring_desktop import Desktop, session_bus

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import KeyUnavailable, Vault, VaultDamaged, open_vault
from jupyter_valet.broker.vault.key_sources import KeySource, Unsuitable
from jupyter_valet.broker.vault.key_sources.os_keyring import KeyringSource
from jupyter_valet.broker.vault.key_sources.shared_tests import KeySourceTests

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Secret Service is Linux's keyring")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    """A session bus, as yet without a keyring."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with session_bus(home, monkeypatch.setenv) as desktop:
        yield desktop


@pytest.fixture
def desktop(session: Desktop) -> Desktop:
    session.log_in()
    return session


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Vault]]:
    with contextlib.ExitStack() as stack:

        def opener(key_source: str = "auto") -> Vault:
            vault = open_vault(tmp_path / "state", key_source)
            stack.callback(vault.close)
            return vault

        yield opener


class TestSecretService(KeySourceTests):
    """The same suite as every key source, against the real thing."""

    @pytest.fixture
    def make(self, desktop: Desktop) -> Callable[[], KeySource]:
        return KeyringSource


def test_auto_keeps_the_key_in_the_keyring(desktop: Desktop, opened, tmp_path: Path) -> None:
    vault = opened()
    vault.put("connection", "1", {}, Secret("token"))
    assert "keyring" in vault.key_source_words
    assert [path.name for path in (tmp_path / "state" / "keys").iterdir()] == ["witness"]


def test_the_vault_opens_after_the_next_login(desktop: Desktop, opened) -> None:
    vault = opened()
    vault.put("connection", "1", {}, Secret("token"))
    vault.close()
    desktop.log_out()
    desktop.log_in()
    assert reveal(opened().get("connection", "1").payload) == "token"


def test_a_rotation_reaches_the_keyring(desktop: Desktop, opened) -> None:
    vault = opened()
    vault.put("connection", "1", {}, Secret("token"))
    other = opened()
    assert vault.rotate() == 2
    assert reveal(other.get("connection", "1").payload) == "token"
    vault.close()
    assert reveal(opened().get("connection", "1").payload) == "token"


def test_a_locked_keyring_is_told_and_nothing_weaker_is_taken(desktop: Desktop, opened) -> None:
    """No prompt is waited for: the broker has no window to show one."""
    opened().close()
    desktop.log_out()
    desktop.log_in_without_password()
    with pytest.raises(KeyUnavailable, match="locked"):
        opened()


def test_a_keyring_that_is_gone_is_told(desktop: Desktop, opened) -> None:
    opened().close()
    desktop.log_out()
    with pytest.raises(KeyUnavailable, match="no Secret Service"):
        opened()


def test_a_bus_without_a_keyring_gets_a_key_file(session: Desktop, opened, tmp_path: Path) -> None:
    """Headless: the reason is known, and `auto` says what it took in its words."""
    with pytest.raises(Unsuitable, match="no Secret Service"):
        KeyringSource().check()
    assert "key file" in opened().key_source_words
    assert (tmp_path / "state" / "keys" / "key-ring").exists()


def test_a_vault_and_witness_that_were_put_back_together_are_noticed(
    desktop: Desktop, opened, tmp_path: Path
) -> None:
    """R168: the keyring lies apart and remembers."""
    opened().close()
    shutil.copytree(tmp_path / "state", tmp_path / "backup")
    vault = opened()
    vault.put("connection", "1", {}, Secret("token"))
    vault.close()
    shutil.rmtree(tmp_path / "state")
    shutil.copytree(tmp_path / "backup", tmp_path / "state")
    with pytest.raises(VaultDamaged, match="rolled back"):
        opened()
