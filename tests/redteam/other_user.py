"""Running the whole harness again as an ordinary user, on a machine where only root is at home."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def run_as(name: str, home: Path, more: Mapping[str, str]) -> int:
    """Run this very command as the user `name`, who owns nothing but `home`; needs root."""
    account = pwd.getpwnam(name)
    home.mkdir(parents=True, exist_ok=True)
    os.chown(home, account.pw_uid, account.pw_gid)
    environ = {**os.environ, "HOME": str(home), "USER": name, "LOGNAME": name, "TMPDIR": str(home)}
    command = [sys.executable, os.path.realpath(sys.argv[0]), *sys.argv[1:], "--user", name]
    return subprocess.run(become(name, command), env={**environ, **more}, cwd=home).returncode


def become(name: str, command: Sequence[str]) -> list[str]:
    """Return `command`, which begins with this interpreter, as it is run by the user `name`."""
    account = pwd.getpwnam(name)
    whole = ["setpriv", "--reuid", str(account.pw_uid), "--regid", str(account.pw_gid),
             "--clear-groups", "--inh-caps=-all", "--", *command]  # fmt: skip
    interpreter = Path(os.path.realpath(sys.executable))
    closed = _closed_folder(interpreter)
    return whole if closed is None else _opened(closed, interpreter, whole)


def _closed_folder(path: Path) -> Path | None:
    """Return the topmost folder above `path` that others may not pass."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def _opened(closed: Path, interpreter: Path, command: list[str]) -> list[str]:
    """Return `command` in a mount namespace that shows, of `closed`, only the interpreter's part.

    Nothing changes outside: no mode of anybody's folder is touched.
    """
    shown = closed / interpreter.relative_to(closed).parts[0]
    script = (
        f"set -e; hold=$(mktemp -d); mount --bind {shlex.quote(str(shown))} $hold; "
        f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(closed))}; "
        f"mkdir -p {shlex.quote(str(shown))}; mount --bind $hold {shlex.quote(str(shown))}; "
        f"umount $hold; rmdir $hold; exec {shlex.join(command)}"
    )
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
