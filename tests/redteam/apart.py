"""The broker under another user (level L3): a door that root keeps, and what goes through it.

It is what systemd's socket activation does for a service with `Accept=yes`, `StandardInput=socket`
and `User=`: whoever connects speaks to a broker of their own, which runs as somebody else. Only
root can keep it, so the harness's run as root does so for its run as an ordinary user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from other_user import become

KEEPER = "daemon"
"""The user that the broker runs as; any but the person will do."""

DOOR = "REDTEAM_DOOR"
"""Tells the run as an ordinary user where the door and the vault's folder are."""

_PEER = struct.Struct("3i")


def folder() -> Path | None:
    """Return where root keeps the door for this run, if it does."""
    told = os.environ.get(DOOR, "")
    return Path(told) if told else None


def bridge() -> list[str]:
    """Return the server's `broker_command`."""
    place = folder()
    assert place is not None
    return [sys.executable, "-I", str(Path(__file__).with_name("bridge.py")), str(place / "door")]


def state() -> Path:
    """Return the vault's folder, which the person cannot open."""
    place = folder()
    assert place is not None
    return place / "state"


def broker() -> int:
    """Return the process id of the broker that runs as the other user; 0 when there is none."""
    wanted = pwd.getpwnam(KEEPER).pw_uid
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                uid = (entry / "status").read_text().partition("\nUid:")[2].split()[0]
                if b"jupyter_valet.broker" in words and int(uid) == wanted:
                    return int(entry.name)
    return 0


@contextlib.contextmanager
def kept_for(user: str, place: Path) -> Iterator[dict[str, str]]:
    """Keep the door for `user` until the block ends; yield what their run must be told."""
    keeper, person = pwd.getpwnam(KEEPER), pwd.getpwnam(user)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, mode=0o711)
    (place / "state").mkdir(mode=0o700)
    os.chown(place / "state", keeper.pw_uid, keeper.pw_gid)
    with socket.socket(socket.AF_UNIX) as listener, (place / "broker.log").open("wb") as log:
        listener.bind(str(place / "door"))
        os.chown(place / "door", person.pw_uid, person.pw_gid)
        (place / "door").chmod(0o600)
        listener.listen()
        serve = threading.Thread(target=_serve, args=(listener, person.pw_uid, log), daemon=True)
        serve.start()
        yield {DOOR: str(place)}
        listener.shutdown(socket.SHUT_RDWR)
        serve.join(10)


def _serve(listener: socket.socket, uid: int, log: object) -> None:
    with contextlib.suppress(OSError):
        while True:
            peer, _ = listener.accept()
            with peer:
                told = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
                if _PEER.unpack(told)[1] == uid:
                    _start(peer, log)


def _start(peer: socket.socket, log: object) -> None:
    command = [sys.executable, "-I", "-m", "jupyter_valet.broker"]
    process = subprocess.Popen(
        become(KEEPER, command),
        stdin=peer,
        stdout=peer,
        stderr=log,  # type: ignore[arg-type]
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        start_new_session=True,
    )
    threading.Thread(target=process.wait, daemon=True).start()
