"""A desktop without a screen: a session bus of its own, and gnome-keyring on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jupyter_valet.broker.vault.key_sources import Unsuitable
from jupyter_valet.broker.vault.key_sources.os_keyring import KeyringSource

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


@contextlib.contextmanager
def session_bus(home: Path, setenv: Callable[[str, str], None]) -> Iterator[Desktop]:
    """Run a session bus, and make it this process's own with `setenv`.

    Missing programs are an error: the keyring must be tested somewhere.
    """
    for program in ("dbus-daemon", "gnome-keyring-daemon"):
        assert shutil.which(program), f"install {program} to run this test"
    (home / "bus.conf").write_text(_BUS.format(socket=home / "bus"))
    command = ["dbus-daemon", f"--config-file={home}/bus.conf", "--nofork", "--print-address"]
    bus = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"HOME": str(home)})
    assert bus.stdout is not None
    desktop = Desktop(home, bus.stdout.readline().strip())
    setenv("DBUS_SESSION_BUS_ADDRESS", desktop.bus)
    try:
        yield desktop
    finally:
        desktop.log_out()
        bus.terminate()
        bus.communicate(timeout=_PATIENCE)
