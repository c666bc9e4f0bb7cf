"""What the broker does to itself before it reads anything: no dumps, no cores, no followers.

Linux offers the whole of it; elsewhere the broker runs without, and `broker.level` says so.
Facts and limits: docs/threat-model.md, level L1. CAP_SYS_PTRACE is not stopped by it, so it is
looked for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PR_SET_DUMPABLE = 4
_PR_GET_DUMPABLE = 3
_CAP_SYS_PTRACE = 1 << 19


@dataclass(frozen=True)
class Hardening:
    """What was done, as read back from the system, never as merely asked for."""

    undumpable: bool
    coreless: bool
    untraced: bool
    out_of_reach: bool
    """Whether what our server starts, kernels among it, lacks the right to read us all the same."""

    @property
    def closed(self) -> bool:
        """Whether the broker did to itself all that a process can."""
        return self.undumpable and self.coreless and self.untraced

    @property
    def complete(self) -> bool:
        """Whether nothing of it is missing, the others' rights among it."""
        return self.closed and self.out_of_reach


def harden() -> Hardening:
    """Close this process to its neighbours; call it first.

    Raises `SystemExit` when a debugger is attached already: a vault must not open before it.
    """
    os.umask(0o077)
    # Ctrl-C in the terminal goes to the whole process group; the broker ends with its server.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    done = Hardening(
        undumpable=_undumpable(),
        coreless=_coreless(),
        untraced=_untraced(),
        out_of_reach=_out_of_reach(),
    )
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
    return _status().get("TracerPid") == "0"


def _out_of_reach() -> bool:
    """Whether CAP_SYS_PTRACE is missing: it reads what cannot be dumped, and is inherited (R51)."""
    return sys.platform != "linux" or not may_ptrace(_status(), root=os.geteuid() == 0)


def may_ptrace(status: Mapping[str, str], *, root: bool) -> bool:
    """Tell from `/proc/PID/status` whether a process, or what it starts, has CAP_SYS_PTRACE.

    What root starts has all of the bounding set again (capabilities(7)); what is not told counts
    as held.
    """
    sets = ("CapInh", "CapPrm", "CapEff", "CapAmb", *(("CapBnd",) if root else ()))
    return any(int(status.get(name, "ffffffffffffffff"), 16) & _CAP_SYS_PTRACE for name in sets)


def _status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
