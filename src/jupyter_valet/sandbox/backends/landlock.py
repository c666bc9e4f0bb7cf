"""Landlock, seccomp and no capabilities: needs no helper program and keeps the internet.

Linux 6.12 or newer (Landlock ABI 6). Where namespaces may be made, a view of the file system of the
kernel's own is laid over it (`view.py`). docs/sandbox.md says what it cannot do.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence

from .. import carve, seccomp_filter, trial, view
from ..launch import landlock
from ..launch.namespace import Mount
from ..launch.plan import LaunchPlan
from ..policy import Policy
from ..ports import KERNEL_PORTS, LOCAL_PORTS, free_network
from ..workspace import Workspace, Workspaces
from .base import Channel, Session, Start, Unsuitable, architecture, launcher, unnamed_file

_NO_VIEW = (
    "This system lets Jupyter make no user and mount namespaces, so kernels have no /tmp and can "
    "change the modes of hidden files (R38) and git's hooks in the project (R67); docs/sandbox.md "
    "says how to allow it."
)


class Landlock:
    """The default back end."""

    name = "landlock"

    def __init__(self) -> None:
        self._ports_fd = -1
        self._denied: frozenset[int] = frozenset()
        self._has_view = False
        """Whether kernels get a view of the file system of their own, as `check` has seen."""

    def check(self) -> None:
        """Raise `Unsuitable` with the reason when this machine cannot do it."""
        if sys.platform != "linux":
            raise Unsuitable("Landlock is a part of Linux")
        architecture()
        abi = landlock.abi()
        if abi < landlock.NEEDED_ABI:
            raise Unsuitable(
                f"Landlock ABI {landlock.NEEDED_ABI} (Linux 6.12) is needed, this is ABI {abi} "
                f"(Linux {platform.release()})"
            )
        self._has_view = trial.view_holds()

    def channel(self, workspace: Workspace) -> Channel:
        """Give the kernel loopback addresses of its own, and ports that browsers refuse."""
        return Channel("tcp", free_network(), KERNEL_PORTS)

    def start(
        self, command: Sequence[str], policy: Policy, workspace: Workspace, session: Session
    ) -> Start:
        """Return how to start `command` inside the walls."""
        machine = architecture()
        own = policy.with_modes(workspace.modes())
        mounts = self._mounts(own, workspace)
        roots, paths = [str(workspace.temporary)], []
        if mounts:
            own = view.uncovered(own, mounts)
            roots += [target for source, target, _, _ in mounts if source == roots[0]]
        if view.temporary_may_be_writable(own):
            paths.append((roots[0], landlock.WRITE))
        denied = session.own_ports - policy.connect - {session.broker_port}
        program = seccomp_filter.build(machine, unix=True, supervised=seccomp_filter.SUPERVISED)
        plan = LaunchPlan(
            mounts=mounts,
            paths=[*carve.rules(own), *paths],
            files=landlock.EVERY_FILE_RIGHT,
            scopes=landlock.SCOPES,
            loopback=session.channel.address if session.channel else "127.0.0.1",
            own_ports=[*session.channel.ports] if session.channel else [],
            local_ports=[*LOCAL_PORTS],
            opened_ports=sorted(policy.listen),
            denied_ports=sorted(denied),
            ports_fd=self._ports(denied),
            program=program,
            socket_roots=roots,
            supervised={name: machine.numbers[name] for name in seccomp_filter.SUPERVISED},
        )
        told = unnamed_file(plan.to_bytes())
        return Start([*launcher(told), *command], plans=[told], kept=(plan.ports_fd,))

    @property
    def shortcoming(self) -> str:
        """Return what this machine does not let the wall do, for a warning."""
        return "" if self._has_view else _NO_VIEW

    def unwritable(self, policy: Policy) -> list[str]:
        """Return the writable folders in which nothing new can be made, for a warning."""
        if self._has_view:
            with Workspaces() as workspaces:
                policy = view.uncovered(policy, view.mounts(policy, workspaces.make()))
        return carve.ancestors_of_exceptions(policy)

    def _mounts(self, policy: Policy, workspace: Workspace) -> list[Mount]:
        return view.mounts(policy, workspace) if self._has_view else []

    def close(self) -> None:
        """Give back what is kept between kernels."""
        if self._ports_fd >= 0:
            os.close(self._ports_fd)
            self._ports_fd = -1

    def _ports(self, denied: frozenset[int]) -> int:
        """Return a ruleset of all other ports, made once: it has 65,000 rules."""
        if self._ports_fd < 0 or denied != self._denied:
            self.close()
            self._ports_fd = landlock.every_port_but(denied)
            self._denied = denied
        return self._ports_fd
