"""What the broker does to itself before it reads anything: no dumps, no cores, no followers.

Linux offers the whole of it; elsewhere the broker runs without, and `broker.level` says so.
Facts and limits: docs/threat-model.md, level L1. Root with CAP_SYS_PTRACE is not stopped by it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

_PR_SET_DUMPABLE = 4
_PR_GET_DUMPABLE = 3


@dataclass(frozen=True)
class Hardening:
    """What was done, as read back from the system, never as merely asked for."""

    undumpable: bool
    coreless: bool
    untraced: bool

    @property
    def complete(self) -> bool:
        """Whether nothing of it is missing."""
        return self.undumpable and self.coreless and self.untraced


def harden() -> Hardening:
    """Close this process to its neighbours; call it first.

    Raises `SystemExit` when a debugger is attached already: a vault must not open before it.
    """
    os.umask(0o077)
    # Ctrl-C in the terminal goes to the whole process group; the broker ends with its server.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    done = Hardening(undumpable=_undumpable(), coreless=_coreless(), untraced=_untraced())
    if not done.untraced:
        raise SystemExit("jupyter-valet broker: a debugger is attached; the vault stays shut")
    return done


def _undumpable() -> bool:
    if sys.platform != "linux":
        return False
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)


def _coreless() -> bool:
    if sys.platform == "win32":
        return False
    import resource  # not on Windows

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)


def _untraced() -> bool:
    """Whether no tracer is attached, as far as the system tells."""
    if sys.platform != "linux":
        return True
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    tracer = next((line for line in status.splitlines() if line.startswith("TracerPid:")), "")
    return tracer.split()[-1:] == ["0"]
