"""What the wall really stops, found out by attacking it: nothing is claimed that was not seen.

The attempts run twice, as a process of the person's and as one behind the wall. An attack counts as
stopped only if it worked without the wall and does not behind it; one that fails without it is
"not provable here", which is not a claim.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import environment, visitor
from .backends import Backend
from .backends.base import Session, Start
from .policy import Mode, Policy
from .ports import KERNEL_PORTS, LOCAL_PORTS, free_address
from .workspace import Workspace, Workspaces

ATTEMPTS = Path(__file__).parent / "inside" / "attempts.py"
_SECONDS = 60
_VICTIM = """
import ctypes, time
secret = ctypes.create_string_buffer(b"canary")
print(ctypes.addressof(secret), flush=True)
time.sleep(300)
"""

NOT_STOPPED_BY = {
    "landlock": frozenset(
        {
            "R38 change the mode of a hidden file",
            "R38 change the mode of a hidden file in a writable folder",
            "R38 change the mode of a protected file",
            "R38 change the times of a protected file",
        }
    )
}
"""What a back end is known not to stop: Landlock, where no namespaces may be made. docs/sandbox.md
says so. Everything else must hold."""


ESSENTIAL = frozenset(
    {
        "R01 read a hidden file",
        "R02 the server's environment",
        "R03 environment of another process",
        "R08 connect to a UNIX socket by its path",
        "R28 write where the server runs code from",
        "R40 signal another process",
        "R47 connect to Jupyter's port",
        "R80 listen on a port of its own",
    }
)
"""Attacks that work on every Linux: they must have been seen to work, and to be stopped."""


class Verdict(enum.Enum):
    """What was seen of one attack."""

    STOPPED = "stopped"
    WORKS = "works"
    UNPROVEN = "not provable here"


@dataclass(frozen=True)
class Finding:
    """One attack, and what was seen."""

    attack: str
    verdict: Verdict
    detail: str = ""

    @property
    def row(self) -> str:
        """The row of the table in the threat model."""
        return self.attack.split(" ", 1)[0]


@dataclass(frozen=True)
class Report:
    """What one back end was seen to stop on this machine, for this user."""

    backend: str
    findings: tuple[Finding, ...] = field(default=())

    @property
    def broken(self) -> list[Finding]:
        """Attacks that work and must not: a wall with one of these is none."""
        known = NOT_STOPPED_BY.get(self.backend, frozenset())
        return [
            finding
            for finding in self.findings
            if finding.verdict is Verdict.WORKS and finding.attack not in known
        ]

    @property
    def stopped(self) -> int:
        """How many attacks were seen to be stopped."""
        return sum(finding.verdict is Verdict.STOPPED for finding in self.findings)

    @property
    def holds(self) -> bool:
        """Whether kernels behind this wall may be said to be sandboxed."""
        stopped = {f.attack for f in self.findings if f.verdict is Verdict.STOPPED}
        return not self.broken and stopped >= ESSENTIAL


def probe(backend: Backend, policy: Policy, variable: str = "JUPYTER_VALET_PROBE_TOKEN") -> Report:
    """Attack a process behind `backend`'s walls; takes about a second.

    Raises `Unsuitable`, and `OSError` when the attempts cannot be run at all.
    """
    backend.check()
    workspaces = Workspaces()
    try:
        workspace = workspaces.make()
        # Beside the workspaces, not in one: that would be the kernel's own.
        arena = Path(os.path.realpath(tempfile.mkdtemp(prefix=f"jupyter-valet-{os.getpid()}-")))
        try:
            return _probe(backend, policy, workspace, arena, variable)
        finally:
            shutil.rmtree(arena, ignore_errors=True)
    finally:
        workspaces.close()


def _probe(
    backend: Backend, policy: Policy, workspace: Workspace, arena: Path, variable: str
) -> Report:
    with _victims(arena, workspace) as targets:
        targets = {**targets, "variable": variable}
        session = Session(
            own_ports=frozenset({int(str(targets["port"]))}), channel=backend.channel(workspace)
        )
        hidden, protected = arena / "hidden", arena / "protected"
        inner = policy.with_modes(
            {
                str(hidden): Mode.HIDDEN,
                str(protected): Mode.READ,
                str(Path(str(targets["inner_hidden"])).parent): Mode.HIDDEN,
                str(Path(str(targets["inner_protected"])).parent): Mode.READ,
            }
        )
        described = workspace.temporary / "targets.json"
        described.write_text(json.dumps(targets))
        argv = [sys.executable, "-I", "-S", str(ATTEMPTS), str(described)]
        environ = {**os.environ, variable: "canary"}
        rendezvous, inherited = Path(str(targets["rendezvous"])), int(str(targets["descriptor"]))
        without = _run(Start(argv), environ, rendezvous, inherited)
        walled = environment.for_kernel(environ, opened=inner.variables)
        plain = replace(session, working_directory=str(workspace.temporary))
        start = backend.start(argv, inner, workspace, plain)
        within = _run(start, walled, rendezvous, inherited)
    return Report(backend.name, tuple(_compare(without, within)))


def _compare(
    without: Mapping[str, str | None], within: Mapping[str, str | None]
) -> Iterator[Finding]:
    for attack, stopped_without in without.items():
        stopped = within.get(attack, "?")
        if stopped is None:
            yield Finding(attack, Verdict.WORKS)
        elif stopped_without is not None or stopped.startswith("?"):
            yield Finding(attack, Verdict.UNPROVEN, stopped_without or stopped)
        else:
            yield Finding(attack, Verdict.STOPPED, stopped)


def _run(
    start: Start, environ: Mapping[str, str], rendezvous: Path, inherited: int
) -> dict[str, str | None]:
    """Run the attempts; meanwhile connect, as a browser would, to what they tell of."""
    with contextlib.closing(start):
        process = subprocess.Popen(
            start.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environ, **start.variables},
            pass_fds=(*start.descriptors, inherited),
            start_new_session=True,
        )
    visits = threading.Thread(target=_visit, args=(process, rendezvous), daemon=True)
    visits.start()
    try:
        said, complaint = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        said, complaint = process.communicate()
    visits.join()
    if process.returncode or not said:
        last = complaint.decode(errors="replace").strip().splitlines()
        raise OSError(f"the attempts did not run: {last[-1] if last else process.returncode}")
    found: dict[str, str | None] = json.loads(said)
    return found


def _visit(process: subprocess.Popen[bytes], rendezvous: Path) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            written = rendezvous.read_text()
            try:
                visitor.come(written)
            finally:
                rendezvous.unlink()
        time.sleep(0.02)


@contextlib.contextmanager
def _victims(arena: Path, workspace: Workspace) -> Iterator[dict[str, object]]:
    """Put up what is attacked; everything ends with the block."""
    for name in ("hidden", "protected", "sockets"):
        (arena / name).mkdir(mode=0o700)
    within = workspace.path / "arena"
    closed = {
        "hidden": arena / "hidden" / "canary",
        "protected": arena / "protected" / "module.py",
        "inner_hidden": within / "hidden" / "canary",
        "inner_protected": within / "protected" / "module.py",
    }
    for path in closed.values():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text("canary")
    with contextlib.ExitStack() as stack:
        victim = _victim_process(stack)
        assert victim.stdout is not None
        address = int(victim.stdout.readline())
        jupyter = _listener(stack, ("127.0.0.1", 0))
        kernel = _listener(stack, (free_address(), KERNEL_PORTS[0]))
        _listener(stack, (kernel.getsockname()[0], LOCAL_PORTS[0]))
        abstract = f"jupyter-valet-{secrets.token_hex(8)}"
        _listener(stack, "\0" + abstract, socket.AF_UNIX)
        by_path, datagram = arena / "sockets" / "bus", arena / "sockets" / "log"
        _listener(stack, str(by_path), socket.AF_UNIX)
        _datagram(stack, str(datagram))
        yield {
            **{name: str(path) for name, path in closed.items()},
            "victim": victim.pid,
            "address": address,
            "port": jupyter.getsockname()[1],
            "kernel_address": kernel.getsockname()[0],
            "kernel_port": KERNEL_PORTS[0],
            "local_port": LOCAL_PORTS[0],
            "abstract_socket": abstract,
            "path_socket": str(by_path),
            "path_datagram": str(datagram),
            "terminal": _terminal(stack),
            "descriptor": jupyter.fileno(),
            "rendezvous": str(workspace.temporary / "rendezvous"),
        }


def _victim_process(stack: contextlib.ExitStack) -> subprocess.Popen[bytes]:
    """Start a process that anything of this user may trace, as far as the system is concerned."""
    victim = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _VICTIM],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={"CANARY": "canary"},
    )

    def end() -> None:
        victim.kill()
        victim.communicate()

    stack.callback(end)
    return victim


def _listener(
    stack: contextlib.ExitStack, address: object, family: int = socket.AF_INET
) -> socket.socket:
    listener = stack.enter_context(socket.socket(family))
    listener.bind(address)  # type: ignore[arg-type]
    listener.listen(64)
    return listener


def _datagram(stack: contextlib.ExitStack, path: str) -> None:
    stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).bind(path)


def _terminal(stack: contextlib.ExitStack) -> str:
    """Open a terminal, as the person's would be; return its path."""
    try:
        ours, theirs = os.openpty()
    except OSError:
        return ""
    stack.callback(os.close, ours)
    stack.callback(os.close, theirs)
    return os.ttyname(theirs)
