"""What a process is called, so that a number that was given to another one later is not believed.

Server and broker say it to each other. Linux; elsewhere nothing is known.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .views import _View

PROC = Path("/proc")

_PARENT, _SESSION, _STARTED = 1, 3, 19
"""Places in `/proc/PID/stat`, counted from the state, which follows the name (proc(5))."""


@dataclass(frozen=True)
class Peer(_View):
    """Whose connections may show a kernel's capability (R59). What is left out binds nothing."""

    awaited: bool = False
    """The process is not known yet, it will be told: until then nobody may."""
    pid: int = 0
    """The process that was started as the kernel, whose descendants may, too; with `address`, the
    server's own process, which alone may."""
    started: int = 0
    """When that process started, in clock ticks since the machine did."""
    machine: str = ""
    """Where the number means this process: see `machine`."""
    address: str = ""
    """The address that the connections come from, for a kernel that has a door of its own."""
    answers: bool = False
    """Whether the server may look at the process, and does so for a broker that may not."""
    network: str = ""
    """Where its connections are made, if its network is the server's: see `network`."""


@dataclass(frozen=True)
class Stat:
    """What the system tells everybody of a process."""

    parent: int
    session: int
    started: int


def stat(pid: int, proc: Path = PROC) -> Stat | None:
    """Return what is told of a process; None when it has ended or is hidden."""
    try:
        told = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    words = told.rpartition(b")")[2].split()
    return Stat(int(words[_PARENT]), int(words[_SESSION]), int(words[_STARTED]))


def machine(proc: Path = PROC) -> str:
    """Return what stands for this boot of this machine and its numbering of processes.

    Empty where the system does not say.
    """
    return _namespace(proc, "pid")


def network(proc: Path = PROC) -> str:
    """Return what stands for this boot of this machine and the network of this process.

    Who shares it finds the same sockets at the two ends of a connection. Empty where the system
    does not say.
    """
    return _namespace(proc, "net")


def _namespace(proc: Path, kind: str) -> str:
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {(proc / 'self/ns' / kind).readlink()}"
    except OSError:
        return ""


def may_look(pid: int, proc: Path = PROC) -> bool:
    """Tell whether the system lets this process see what that one has open (ptrace(2)).

    One may list the descriptors of a process of one's own user in another user namespace and not
    read where they lead: a link is what has to be tried.
    """
    try:
        os.readlink(proc / str(pid) / "cwd")  # noqa: PTH115 - only whether it may be read
    except OSError:
        return False
    return True


def peer(pid: int, address: str = "") -> Peer:
    """Return how to call the process `pid`; a `Peer` that binds nothing where it cannot be told."""
    here, known = machine(), stat(pid)
    if not here or known is None:
        return Peer()
    return Peer(
        pid=pid,
        started=known.started,
        machine=here,
        address=address,
        answers=may_look(pid),
        network=network(),
    )
