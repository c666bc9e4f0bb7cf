"""What every back end offers."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..policy import Policy
from ..syscalls import ARCHITECTURES, Architecture
from ..workspace import Workspace

LAUNCHER = Path(__file__).parents[1] / "launch" / "launcher.py"


class Unsuitable(Exception):
    """Says why a back end cannot be used here, and what would help."""


@dataclass(frozen=True)
class Channel:
    """How the server and a kernel talk: a transport, an address, and TCP ports if it has any."""

    transport: str
    address: str
    ports: Sequence[int] = ()


@dataclass(frozen=True)
class Start:
    """How to start a walled process."""

    command: list[str]
    plans: list[int] = field(default_factory=list)
    """Descriptors that must be inherited, and are of no use afterwards: see `close`."""
    kept: tuple[int, ...] = ()
    """Descriptors that must be inherited, and serve for the next start, too."""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Everything that must be inherited."""
        return (*self.plans, *self.kept)

    def close(self) -> None:
        """Close what only this start needed, once the process runs."""
        while self.plans:
            os.close(self.plans.pop())


class Backend(Protocol):
    """One way to wall a process in."""

    name: str

    @property
    def shortcoming(self) -> str:
        """What this machine does not let the wall do, for a warning; empty for most."""

    def check(self) -> None:
        """Raise `Unsuitable` with the reason when this machine cannot do it."""

    def channel(self, workspace: Workspace) -> Channel:
        """Return a way for the server and a new kernel to talk that nobody else can use."""

    def start(
        self, command: Sequence[str], policy: Policy, workspace: Workspace, session: Session
    ) -> Start:
        """Return how to start `command` inside the walls."""

    def unwritable(self, policy: Policy) -> list[str]:
        """Return the writable folders in which nothing new can be made, for a warning."""

    def close(self) -> None:
        """Give back what is kept between kernels."""


@dataclass(frozen=True)
class Session:
    """What belongs to this server and is not for kernels, and the one thing that is."""

    own_ports: frozenset[int] = frozenset()
    """TCP ports of Jupyter servers and of their Hub: never to be connected to (R21, R47)."""
    broker_port: int = 0
    """Where the broker listens; always reachable."""
    working_directory: str = "/"
    channel: Channel | None = None


def launcher(plan: int) -> list[str]:
    """Return the command that carries out a plan, up to the kernel's own command (R64).

    `plan` is the descriptor of a file that holds it.
    """
    return [sys.executable, "-I", "-S", "-E", str(LAUNCHER), str(plan), "--"]


def unnamed_file(content: bytes) -> int:
    """Return the descriptor of a file in memory, for a process to inherit. Raises `OSError`."""
    fd = os.memfd_create("jupyter-valet")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        os.lseek(fd, 0, os.SEEK_SET)
    except OSError:
        os.close(fd)
        raise
    return fd


def architecture() -> Architecture:
    """Return this machine's call numbers. Raises `Unsuitable`."""
    machine = platform.machine()
    if sys.maxsize < 2**32 or machine not in ARCHITECTURES:
        raise Unsuitable(f"no system call table for {machine}: kernels cannot be filtered here")
    return ARCHITECTURES[machine]
