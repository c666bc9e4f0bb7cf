"""The keyring source against a real Secret Service: gnome-keyring on a session bus of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_valet.broker.reveal import reveal
from jupyter_valet.broker.secret import Secret
from jupyter_valet.broker.vault import KeyUnavailable, Vault, VaultDamaged, open_vault
from jupyter_valet.broker.vault.key_sources import KeySource, Unsuitable
from jupyter_valet.broker.vault.key_sources.os_keyring import KeyringSource
from jupyter_valet.broker.vault.key_sources.shared_tests import KeySourceTests

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Secret Service is Linux's keyring")

_PATIENCE = 20.0

_BUS = """
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
"""A session bus that starts no services by itself: the tests say when the keyring is there."""


class Desktop:
    """A session bus and a keyring daemon whose login keyring has a password."""

    def __init__(self, home: Path, bus: str) -> None:
        self._home = home
        self.bus = bus
        self._daemon: subprocess.Popen[bytes] | None = None

    def log_in(self) -> None:
        """Start the daemon as a desktop's login does: the password comes on standard input."""
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock"]
        self._daemon = self._run(command, stdin=subprocess.PIPE)
        assert self._daemon.stdin is not None
        self._daemon.stdin.write(b"login password")
        self._daemon.stdin.close()
        self._wait(self._is_unlocked)

    def log_in_without_password(self) -> None:
        """Start the daemon with the keyring still locked, as after an automatic login."""
        self._daemon = self._run(["gnome-keyring-daemon", "--foreground", "--components=secrets"])
        self._wait(self._answers)

    def log_out(self) -> None:
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(timeout=_PATIENCE)
            self._daemon = None

    def _run(self, command: list[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "XDG_RUNTIME_DIR": str(self._home),
            "DBUS_SESSION_BUS_ADDRESS": self.bus,
        }
        silent = subprocess.DEVNULL
        return subprocess.Popen(command, stdin=stdin, stdout=silent, stderr=silent, env=environment)

    def _answers(self) -> bool:
        import secretstorage

        with contextlib.closing(secretstorage.dbus_init()) as bus:
            return bool(secretstorage.check_service_availability(bus))

    def _is_unlocked(self) -> bool:
        try:
            KeyringSource().check()
        except Unsuitable:
            return False
        return True

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            assert time.monotonic() < deadline, "the keyring daemon does not answer"
            time.sleep(0.02)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    """A session bus. Missing programs are an error: the keyring must be tested somewhere."""
    for program in ("dbus-daemon", "gnome-keyring-daemon"):
        assert shutil.which(program), f"install {program} to run this test"
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "bus.conf").write_text(_BUS.format(socket=home / "bus"))
    command = ["dbus-daemon", f"--config-file={home}/bus.conf", "--nofork", "--print-address"]
    bus = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"HOME": str(home)})
    assert bus.stdout is not None
    desktop = Desktop(home, bus.stdout.readline().strip())
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.bus)
    try:
        yield desktop
    finally:
        desktop.log_out()
        bus.terminate()
        bus.communicate(timeout=_PATIENCE)


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
