"""`%valet doctor`: the harmless rows, from the kernel it is typed in, at the server that it has.

It knows what any code in this kernel can find out, and nothing else; it changes nothing. A blocked
attack is tried once more at something of this kernel's own (`own.py`), where it should succeed.
What needs a canary of the person's is tried by `jupyter valet doctor`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..wire.views import StatusView
from . import own, snippet
from .judge import Seen, Verdict, judge
from .report import Report
from .rows import Row, load
from .snippet import Got

_SECONDS = 60.0
_BROKER = "jupyter_valet.broker"


def examine(status: StatusView, broker_url: str) -> Report:
    """Attack from here, and report by the level that the broker claims for this kernel."""
    target = reconnoitre(status, broker_url)
    with own.targets() as mine:
        seen = [_with_control(row, _try(row, target), target, mine) for row in load() if row.live]
    return Report(
        "this kernel",
        status.level,
        status.level_words,
        status.key_source,
        seen,
        where_proved="when aimed at something of this kernel's own",
    )


def reconnoitre(status: StatusView, broker_url: str) -> dict[str, Any]:
    """Return what code in this kernel finds out by itself about what there is to attack."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir

    broker, python = _broker()
    state = Path(jupyter_data_dir()) / "valet"
    # On a JupyterHub people come through its proxy; what counts is the server behind it.
    own = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL") or status.connections_url)
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
    return judge(row, _in_a_child(row, target, {}), {})


def _with_control(row: Row, seen: Seen, target: dict[str, Any], mine: own.Own) -> Seen:
    """Try a blocked attack at what is this kernel's own; what fails there, too, proves nothing."""
    if seen.verdict is not Verdict.BLOCKED:
        return seen
    got = _in_a_child(row, {**target, **mine.target}, mine.variables)
    worked = judge(row, got, {}).verdict is Verdict.OPEN
    return replace(seen, proved=True if worked else None)


def _in_a_child(row: Row, target: dict[str, Any], variables: dict[str, str]) -> Got:
    """Attack from a child: it is behind the same wall, and what kills it spares the notebook."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", snippet.program(row.run, target)],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Got(type(error).__name__, ("Died",))
    return snippet.read(done.stdout)


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
