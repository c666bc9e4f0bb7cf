"""Bubblewrap: namespaces of its own, and no network but the way to the broker.

Stricter than Landlock and independent of the Linux version: names are hidden, too, and what a
kernel listens on is out of every browser's reach. Needs `bwrap` and user namespaces.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import seccomp_filter, view
from ..launch.plan import LaunchPlan, Relay
from ..policy import Mode, Policy
from ..workspace import Workspace
from .base import Channel, Session, Start, Unsuitable, architecture, launcher, unnamed_file

_NAMESPACES = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--unshare-net", "--disable-userns", "--die-with-parent", "--cap-drop", "ALL",
)  # fmt: skip
_TEMPORARY = "/tmp"  # noqa: S108

_MOST_ENTRIES = 2000
"""Of a home folder that is the project: bwrap takes 9,000 arguments."""

RELAY_SOCKET = "broker.sock"
"""In the workspace's `run` folder: the server listens there for the broker."""


class Bubblewrap:
    """The strict back end."""

    name = "bubblewrap"
    shortcoming = ""

    def check(self) -> None:
        """Raise `Unsuitable` with the reason when this machine cannot do it."""
        if sys.platform != "linux":
            raise Unsuitable("bubblewrap is a program of Linux")
        architecture()
        if shutil.which("bwrap") is None:
            raise Unsuitable("bwrap is not installed (the package is called bubblewrap)")
        attempt = subprocess.run(
            ["bwrap", *_NAMESPACES, "--ro-bind", "/", "/", "--proc", "/proc", "--", "true"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if attempt.returncode:
            said = attempt.stderr.strip().splitlines()
            raise Unsuitable(f"bwrap cannot make namespaces here: {said[-1] if said else '?'}")

    def channel(self, workspace: Workspace) -> Channel:
        """Talk through UNIX sockets in the workspace: the kernel's network has nobody else."""
        return Channel("ipc", str(workspace.run / "k"))

    def start(
        self, command: Sequence[str], policy: Policy, workspace: Workspace, session: Session
    ) -> Start:
        """Return how to start `command` inside the walls."""
        machine = architecture()
        program = seccomp_filter.build(machine, unix=True, supervised=("connect",))
        relay = None
        if session.broker_port:
            relay = Relay(session.broker_port, str(workspace.run / RELAY_SOCKET))
        # TMPDIR is /tmp there, and short: a UNIX socket's path has 107 bytes.
        inner = LaunchPlan(
            program=program,
            relay=relay,
            # What listens at a path that is visible may be a bus, or Docker: /run is full of them.
            supervised={"connect": machine.numbers["connect"]},
            socket_roots=[str(workspace.run), str(workspace.temporary), _TEMPORARY],
            variables={"TMPDIR": _TEMPORARY, "SPARK_LOCAL_DIRS": _TEMPORARY},
        )
        outer = LaunchPlan(ignore_interrupts=True)
        options = [*_NAMESPACES, *mounts(policy, workspace), "--chdir", session.working_directory]
        files = [outer.to_bytes(), "\0".join(options).encode() + b"\0", inner.to_bytes()]
        plans = [unnamed_file(content) for content in files]
        told_outside, told_bwrap, told_inside = plans
        arguments = [
            *launcher(told_outside),
            *("bwrap", "--args", str(told_bwrap), "--"),
            *launcher(told_inside),
            *command,
        ]
        return Start(arguments, plans=plans)

    def unwritable(self, policy: Policy) -> list[str]:
        """Return the home folder, if that is the project; closed places elsewhere are covered."""
        return [policy.home] if policy.mode(policy.home) is Mode.WRITE else []

    def close(self) -> None:
        """Nothing is kept between kernels."""


def mounts(policy: Policy, workspace: Workspace) -> list[str]:
    """Return bwrap's arguments that make the policy's places what they are.

    From the root downwards, so that what is listed deeper lies on top.
    """
    arguments: list[str] = []
    policy = policy.with_home_sealed(_MOST_ENTRIES).with_modes(workspace.modes())
    modes = policy.modes
    for path in sorted(modes, key=lambda path: (path.count("/") if path != "/" else 0, path)):
        if path == "/dev":
            arguments += ["--dev", "/dev", *_devices(policy)]
        elif path == _TEMPORARY and modes[path] is Mode.HIDDEN:
            arguments += ["--bind", str(workspace.temporary), _TEMPORARY]
        else:
            if policy.mode(os.path.dirname(path)) is Mode.WRITE:  # noqa: PTH120
                for pinned in reversed([*view.pins(policy, path)]):
                    arguments += [] if pinned in arguments else ["--bind", pinned, pinned]
            arguments += _mount(path, modes[path])
        if path == "/":
            arguments += ["--proc", "/proc"]
    # At the end: what lies deeper has been mounted into them by now.
    empty = [path for option, path in itertools.pairwise(arguments) if option == "--tmpfs"]
    for path in empty:
        arguments += ["--remount-ro", path]
    for path in view.guarded(policy, workspace):
        for pinned in reversed([*view.pins(policy, path)]):
            if pinned not in arguments:
                arguments += ["--bind", pinned, pinned]
        arguments += ["--ro-bind", path, path]
    return arguments


def _mount(path: str, mode: Mode) -> list[str]:
    if not Path(path).exists():
        return []
    match mode:
        case Mode.WRITE:
            return ["--bind", path, path]
        case Mode.READ:
            return ["--ro-bind", path, path]
        case Mode.HIDDEN if os.path.isdir(path):  # noqa: PTH112
            return ["--perms", "0700", "--tmpfs", path]
        case Mode.HIDDEN:
            return ["--ro-bind", "/dev/null", path]


def _devices(policy: Policy) -> list[str]:
    """Return the devices that bwrap's own /dev does not have."""
    arguments: list[str] = []
    for device in policy.devices:
        if Path(device).name not in {"null", "zero", "full", "random", "urandom", "shm"}:
            arguments += ["--dev-bind", device, device]
    return arguments
