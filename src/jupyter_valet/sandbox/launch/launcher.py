"""Confine this process as a plan says, then become a kernel.

    python -I -S -E …/launcher.py DESCRIPTOR -- command argument …

The descriptor is inherited, and holds the plan.

Started by its absolute path with flags that ignore the environment, the working directory and
every site directory, so nothing that a kernel wrote runs before the walls stand (R64). Anything
that goes wrong ends the process with status 70: a kernel without its walls is never started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys

# The standard library stays first: from there on only this package is found.
sys.path.append(os.path.realpath(__file__).rsplit("/", 4)[0])

from jupyter_valet.sandbox.launch import landlock, namespace, privileges, seccomp
from jupyter_valet.sandbox.launch import system as calls
from jupyter_valet.sandbox.launch.plan import LaunchPlan

FAILED = 70


def main(arguments: list[str]) -> None:
    """Carry out the plan in `arguments`; does not return."""
    try:
        if len(arguments) < 3 or arguments[1] != "--":
            raise ValueError("usage: launcher.py DESCRIPTOR -- command …")
        plan, command = LaunchPlan.from_descriptor(int(arguments[0])), arguments[2:]
        launch(plan, command)
    except Exception as error:
        sys.stderr.write(f"[E valet-sandbox] The kernel was not started: {error}\n")
        sys.stderr.flush()
        os._exit(FAILED)


def launch(plan: LaunchPlan, command: list[str]) -> None:
    """Confine this process and run `command` in it, or beneath it. Raises `OSError`."""
    privileges.die_with(os.getppid())
    if plan.ignore_interrupts:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.execvp(command[0], command)  # noqa: S606
    if plan.mounts:
        namespace.enter(plan.mounts)
        privileges.die_with(os.getppid())  # a change of credentials may have forgotten it
    confine(plan)
    if plan.relay is not None:
        from jupyter_valet.sandbox.launch import relay

        relay.start(plan.relay)
    if plan.supervised:
        _under_supervision(plan, command)
    if plan.program:
        seccomp.install(plan.filter, listener=False)
    _become(command, plan)


def confine(plan: LaunchPlan) -> None:
    """Give up privileges and enter the Landlock domains of the plan."""
    privileges.drop_capabilities()
    if not plan.paths:
        return
    rules = landlock.ruleset(files=plan.files, ports=landlock.BIND_TCP, scopes=plan.scopes)
    for path, rights in plan.paths:
        landlock.allow_path(rules, path, rights)
    bindable = {*plan.own_ports, *plan.local_ports, *plan.opened_ports}
    landlock.allow_ports(rules, landlock.BIND_TCP, bindable)
    landlock.restrict_self(rules)
    ports = plan.ports_fd if plan.ports_fd >= 0 else landlock.every_port_but(plan.denied_ports)
    landlock.restrict_self(ports)
    os.close(rules)
    os.close(ports)


def _under_supervision(plan: LaunchPlan, command: list[str]) -> None:
    """Fork twice: a supervisor, and the kernel beneath it. Does not return.

    This process leads the group that Jupyter sends its signals to, the kernel is a member, and the
    supervisor is not: it survives a SIGKILL to the group, to end what the kernel left running.
    """
    outer = os.getpid()
    middle = os.fork()
    if middle == 0:
        try:
            _supervise(plan, command, outer)
        finally:
            os._exit(FAILED)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # the whole group gets them: the kernel decides
    privileges.end_like(os.waitpid(middle, 0)[1])


def _supervise(plan: LaunchPlan, command: list[str], outer: int) -> None:
    calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
    calls.prctl(calls.PR_SET_DUMPABLE, 0)  # its memory is not for the kernel, in any namespace
    above = os.pidfd_open(outer)
    ours, theirs = socket.socketpair()
    supervisor_pid = os.getpid()
    kernel = os.fork()
    if kernel == 0:
        try:
            _become_supervised(plan, command, supervisor_pid, theirs)
        finally:
            os._exit(FAILED)
    os.setsid()
    # While the kernel starts: what it asks for meanwhile waits.
    from jupyter_valet.sandbox.launch import supervisor
    from jupyter_valet.sandbox.launch.addresses import Loopback

    theirs.close()
    _, received, _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    rules = supervisor.Rules(
        calls={number: name for name, number in plan.supervised.items()},
        loopback=Loopback(
            address=plan.loopback,
            own=frozenset(plan.own_ports),
            local=tuple(plan.local_ports),
            opened=frozenset(plan.opened_ports),
        ),
        socket_roots=[(root, _folder(root)) for root in plan.socket_roots],
    )
    status = 0
    if received and os.getppid() == outer:
        status = supervisor.supervise(received[0], kernel, above, rules)
    supervisor.reap()
    privileges.end_like(status)


def _become_supervised(
    plan: LaunchPlan, command: list[str], parent: int, channel: socket.socket
) -> None:
    privileges.die_with(parent)
    if plan.scopes:
        # A domain nested in the supervisor's: the scopes keep signals away from it.
        landlock.restrict_self(landlock.further_ruleset(scopes=plan.scopes))
    listener = seccomp.install(plan.filter, listener=True)
    socket.send_fds(channel, [b"."], [listener])
    _become(command, plan)


def _become(command: list[str], plan: LaunchPlan) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    environ = {**os.environ, **plan.variables, "JPY_PARENT_PID": str(os.getppid())}
    os.closerange(3, 1 << 20)  # nothing of the server's, nothing of ours (R45)
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"[E valet-sandbox] {command[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(FAILED)


def _folder(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    raise OSError(f"the folder {path} is gone")


if __name__ == "__main__":
    main(sys.argv[1:])
