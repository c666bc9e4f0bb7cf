"""Something of a kernel's own at which each harmless attack should succeed: its positive control.

The wall lets a kernel read its children and write its own folder, so an attack that gets nothing
there, either, is stopped by the wall altogether, or is broken; nothing is said of it.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STRAW = Path(__file__).with_name("straw.py")


@dataclass(frozen=True)
class Own:
    """What stands in the place of what is attacked."""

    target: dict[str, Any]
    variables: dict[str, str]


@contextlib.contextmanager
def targets() -> Iterator[Own]:
    """Make them, until the block ends."""
    secret = "canary-" + secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory() as folder, _child(secret, Path(folder)) as child:
        state = _vault(Path(folder) / "state", secret)
        with _listener() as port:
            target = {
                "victim": child,
                "state": str(state),
                "vault": str(state / "vault.db"),
                "port": port,
                "person": folder,
                "config_folders": [folder],
                "data_folders": [folder],
                "server_code": [folder],
            }
            yield Own(target, {"VALET_DOCTOR_TOKEN": secret})


def _vault(state: Path, secret: str) -> Path:
    (state / "keys").mkdir(parents=True)
    (state / "keys" / "key-ring").write_text(secret, encoding="utf-8")
    (state / "vault.db").write_text(secret, encoding="utf-8")
    return state


@contextlib.contextmanager
def _child(secret: str, folder: Path) -> Iterator[int]:
    kept = folder / "straw.txt"
    kept.write_text(secret, encoding="utf-8")
    straw = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_STRAW), secret, str(kept)],
        env={"STRAW": secret},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert straw.stdout is not None
        straw.stdout.readline()
        yield straw.pid
    finally:
        straw.kill()
        straw.communicate()


@contextlib.contextmanager
def _listener() -> Iterator[int]:
    """Listen and answer; a kernel that may not listen yields no port."""
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        except OSError:
            yield 0
            return
        threading.Thread(target=_answer, args=(listener,), daemon=True).start()
        yield int(listener.getsockname()[1])
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _answer(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")
