"""`%valet doctor`: the harmless rows, from the kernel it is typed in, at the server that it has.

It knows what any code in this kernel can find out, and nothing else; it changes nothing. What needs
a canary or a positive control is tried by `jupyter valet doctor`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..wire.views import StatusView
from . import snippet
from .judge import Seen, Verdict, judge
from .report import Report
from .rows import Row, load
from .snippet import Got

_SECONDS = 60.0
_BROKER = "jupyter_valet.broker"


def examine(status: StatusView, broker_url: str) -> Report:
    """Attack from here, and report by the level that the broker claims for this kernel."""
    target = reconnoitre(status, broker_url)
    seen = [_try(row, target) for row in load() if row.live]
    return Report("this kernel", status.level, status.level_words, status.key_source, seen)


def reconnoitre(status: StatusView, broker_url: str) -> dict[str, Any]:
    """Return what code in this kernel finds out by itself about what there is to attack."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir

    broker, python = _broker()
    state = Path(jupyter_data_dir()) / "valet"
    own = urlsplit(status.connections_url)
    return {
        "pattern": r"canary-[A-Za-z0-9_-]{32}",
        "victim": broker,
        "state": str(state),
        "vault": str(state / "vault.db"),
        "key_file": "key-ring",
        "port": own.port or (443 if own.scheme == "https" else 80),
        "broker_port": urlsplit(broker_url).port or 0,
        "person": str(Path.home()),
        "config_folders": [jupyter_config_dir()],
        "data_folders": [jupyter_data_dir()],
        "server_code": [str(path) for path in _packages(python)],
    }


def _broker() -> tuple[int, str]:
    """Return the broker's process and the Python that runs it; (0, "") when it is not in sight."""
    with contextlib.suppress(OSError):
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_text(errors="replace").split("\0")
                if entry.name.isdigit() and _BROKER in words:
                    return int(entry.name), words[0]
    return 0, ""


def _packages(python: str) -> list[Path]:
    prefix = Path(python).parents[1] if python else Path(sys.prefix)
    return sorted(prefix.glob("lib/python3*/site-packages"))


def _try(row: Row, target: dict[str, Any]) -> Seen:
    if why := _not_here(row, target):
        return Seen(row, Verdict.UNTRIED, why)
    code = snippet.program(row.run, target)
    try:  # a child is behind the same wall, and what kills it leaves the notebook alone
        done = subprocess.run(
            [sys.executable, "-I", "-c", code],
            env=dict(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return judge(row, Got(type(error).__name__, ("Died",)), {})
    return judge(row, snippet.read(done.stdout), {})


def _not_here(row: Row, target: dict[str, Any]) -> str:
    if sys.platform != "linux" and not row.everywhere:
        return "the attack is written for Linux"
    if row.run.startswith("memory:") and not target["victim"]:
        return "no broker is in sight from here"
    if row.run == "files:key_and_vault" and not _is_there(target["vault"]):
        return "no vault is in sight from here; it may be elsewhere"
    if row.run == "places:server_code" and not target["server_code"]:
        return "the server's code is not in sight from here"
    return ""


def _is_there(path: str) -> bool:
    """Whether something is known to be there, readable or not."""
    try:
        os.stat(path)  # noqa: PTH116
    except PermissionError:
        return True
    except OSError:
        return False
    return True
