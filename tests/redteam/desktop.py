"""The person's session beside Jupyter: bus, keyring, terminal, files in the home folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""

SERVICE = "example.Notes"
"""A harmless service that the bus starts when it is asked for: a Python program."""


class Desktop:
    """Everything of the session that attacks aim at."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run = home / "run"
        self.run.mkdir(mode=0o700, parents=True)
        self.bus = f"unix:path={self.run}/bus"
        self.abstract = f"valet-redteam-{os.getpid()}-{time.monotonic_ns()}"
        self.keyring = False

    @property
    def environ(self) -> dict[str, str]:
        """What the session gives to its programs."""
        return {"DBUS_SESSION_BUS_ADDRESS": self.bus, "XDG_RUNTIME_DIR": str(self.run)}

    @contextlib.contextmanager
    def started(self, password: str, abstract_secret: str) -> Iterator[Desktop]:
        """Run the session until the block ends; `password` is in its keyring."""
        with contextlib.ExitStack() as stack:
            if shutil.which("dbus-daemon"):
                stack.enter_context(self._daemon(self._bus_command(), self._bus_answers))
                if shutil.which("gnome-keyring-daemon"):
                    stack.enter_context(self._keyring_daemon())
                    self._store(password)
                    self.keyring = True
            stack.enter_context(self._abstract(abstract_secret))
            yield self

    def _bus_command(self) -> list[str]:
        services = self.home / "services"
        services.mkdir()
        program = self.home / "notes_service.py"
        program.write_text("import time\ntime.sleep(2)\n")
        (services / f"{SERVICE}.service").write_text(
            f"[D-BUS Service]\nName={SERVICE}\nExec={sys.executable} {program}\n"
        )
        config = self.run / "bus.conf"
        config.write_text(_BUS.format(socket=self.run / "bus", services=services))
        return ["dbus-daemon", "--nofork", f"--config-file={config}"]

    @contextlib.contextmanager
    def _daemon(self, command: list[str], ready: object, data: bytes = b"") -> Iterator[None]:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.environ}
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env=environ
        )
        assert process.stdin is not None
        process.stdin.write(data)
        process.stdin.close()
        try:
            deadline = time.monotonic() + 20
            while not ready() and time.monotonic() < deadline:  # type: ignore[operator]
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(10)

    def _bus_answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.run / "bus"))
            return True
        return False

    def _keyring_daemon(self) -> contextlib.AbstractContextManager[None]:
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock"]
        return self._daemon(command, self._keyring_answers, b"login password")

    def _keyring_answers(self) -> bool:
        return "ok" in self._ask_keyring("print('ok' if not c.is_locked() else '')")

    def _store(self, password: str) -> None:
        self._ask_keyring(f"c.create_item('mail', {{'app': 'mail'}}, {password!r}.encode())")

    def _ask_keyring(self, line: str) -> str:
        code = f"import secretstorage as s; c = s.get_default_collection(s.dbus_init()); {line}"
        environ = {**os.environ, "HOME": str(self.home), **self.environ}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environ, timeout=30
        )
        return done.stdout

    @contextlib.contextmanager
    def _abstract(self, secret: str) -> Iterator[None]:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("\0" + self.abstract)
            listener.listen()

            def answer() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        peer, _ = listener.accept()
                        with peer:
                            peer.sendall(secret.encode())

            threading.Thread(target=answer, daemon=True).start()
            yield
            listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def typing(secret: str, ready: Path) -> Iterator[str]:
    """Open a terminal in which somebody types `secret` once `ready` is there; yield its path."""
    import pty

    master, slave = pty.openpty()

    def type_it() -> None:
        deadline = time.monotonic() + 12
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        with contextlib.suppress(OSError):
            os.write(master, secret.encode() + b"\n")

    thread = threading.Thread(target=type_it, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        thread.join(15)
        os.close(slave)
        os.close(master)
