"""Confine this process as a plan says, then become a kernel.

    python -I -S -E …/launcher.py DESCRIPTOR -- command argument …

The descriptor is inherited, and holds the plan.

Started by its absolute path with flags that ignore the environment, the working directory and
every site directory, so nothing that a kernel wrote runs before the walls stand (R64). Anything
that goes wrong ends the process with status 70: a kernel without its walls is never started.
"""

from __future__ import annotations

import os
import sys

# The standard library stays first: from there on only this package is found.
sys.path.append(os.path.realpath(__file__).rsplit("/", 4)[0])

from jupyter_valet.sandbox.launch import landlock, namespace, privileges, seccomp
from jupyter_valet.sandbox.launch import system as calls
from jupyter_valet.sandbox.launch.handing import Handing
from jupyter_valet.sandbox.launch.plan import LaunchPlan

TYPE_CHECKING = False  # see `plan`
if TYPE_CHECKING:
    from typing import Never

    from jupyter_valet.sandbox.launch.supervisor import Rules

FAILED = 70
_TO_THE_GROUP = (calls.SIGINT, calls.SIGTERM, calls.SIGHUP, calls.SIGQUIT)


def main(arguments: list[str]) -> None:
    """Carry out the plan in `arguments`; does not return."""
    try:
        if len(arguments) < 3 or arguments[1] != "--":
            raise ValueError("usage: launcher.py DESCRIPTOR -- command …")
        plan, command = LaunchPlan.from_descriptor(int(arguments[0])), arguments[2:]
        launch(plan, command)
    except Exception as error:
        _fail(f"The kernel was not started: {error}")


def launch(plan: LaunchPlan, command: list[str]) -> None:
    """Confine this process and run `command` in it, or beneath it. Raises `OSError`."""
    privileges.die_with(os.getppid())
    if plan.ignore_interrupts:
        calls.signal(calls.SIGINT, calls.SIG_IGN)
        os.execvp(command[0], command)  # noqa: S606
    if plan.mounts:
        namespace.enter(plan.mounts)
        privileges.die_with(os.getppid())  # a change of credentials may have forgotten it
    ports = confine(plan)
    if plan.relay is not None:
        from jupyter_valet.sandbox.launch import relay

        relay.start(plan.relay)
    if plan.supervised:
        _under_supervision(plan, command, ports)
    _enter(ports)
    if plan.program:
        seccomp.install(plan.program, listener=False)
    _become(command, plan)


def confine(plan: LaunchPlan) -> int:
    """Give up privileges and enter the plan's Landlock domain; return the ruleset of the next.

    That one, of ports, is for whoever makes connections (`connector`). -1 stands for none.
    """
    privileges.drop_capabilities()
    if not plan.paths:
        return -1
    rules = landlock.ruleset(files=plan.files, ports=landlock.BIND_TCP, scopes=plan.scopes)
    for path, rights in plan.paths:
        landlock.allow_path(rules, path, rights)
    bindable = {*plan.own_ports, *plan.local_ports, *plan.opened_ports}
    landlock.allow_ports(rules, landlock.BIND_TCP, bindable)
    landlock.restrict_self(rules)
    os.close(rules)
    return plan.ports_fd if plan.ports_fd >= 0 else landlock.every_port_but(plan.denied_ports)


def _enter(ports: int) -> None:
    """Enter the domain of the ports, with this thread and those that it starts."""
    if ports >= 0:
        landlock.restrict_self(ports)
        os.close(ports)


def _under_supervision(plan: LaunchPlan, command: list[str], ports: int) -> None:
    """Fork twice: a supervisor, and the kernel beneath it. Does not return.

    This process leads the group that Jupyter sends its signals to, the kernel is a member, and the
    supervisor is not: it survives a SIGKILL to the group, to end what the kernel left running.
    """
    calls.prctl(calls.PR_SET_DUMPABLE, 0)  # the memory of both is not for the kernel
    calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
    outer = os.getpid()
    middle = os.fork()
    if middle == 0:
        try:
            _supervise(plan, command, outer, ports)
        except BaseException as error:  # whatever it is: there are two of this process
            _fail(f"The kernel cannot run: {error}")
    if ports >= 0:
        os.close(ports)
    for number in _TO_THE_GROUP:
        calls.signal(number, calls.SIG_IGN)  # the whole group gets them: the kernel decides
    status = os.waitpid(middle, 0)[1]
    if _has_children():  # the supervisor was killed, and orphans are this process's
        from jupyter_valet.sandbox.launch import reaping

        reaping.end_all(confined=bool(plan.paths) and reaping.signals_stay(os.getppid()))
    privileges.end_like(status)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _supervise(plan: LaunchPlan, command: list[str], outer: int, ports: int) -> None:
    calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
    above = os.pidfd_open(outer)
    if plan.paths:
        # So that it can end all that the kernel started, and nothing else, with one signal.
        landlock.restrict_self(landlock.further_ruleset(scopes=landlock.SIGNALS))
    supervisor_pid = os.getpid()
    handing = Handing()
    kernel = os.fork()
    if kernel == 0:
        try:
            _become_supervised(plan, command, supervisor_pid, handing)
        except BaseException as error:
            _fail(f"The kernel was not started: {error}")
    os.setsid()
    listener = handing.take(kernel)
    # While the kernel starts: what it asks for meanwhile waits.
    from jupyter_valet.sandbox.launch import supervisor
    from jupyter_valet.sandbox.launch.reaping import reaping, signals_stay

    status = FAILED << 8
    with reaping(confined=bool(plan.paths) and signals_stay(outer)):
        rules = _rules(plan, kernel, ports)
        if listener >= 0 and os.getppid() == outer:
            status = supervisor.supervise(listener, kernel, above, rules)
    privileges.end_like(status)


def _rules(plan: LaunchPlan, kernel: int, ports: int) -> Rules:
    from jupyter_valet.sandbox.launch import supervisor
    from jupyter_valet.sandbox.launch.addresses import Loopback
    from jupyter_valet.sandbox.launch.connector import Connector

    return supervisor.Rules(
        calls={number: name for name, number in plan.supervised.items()},
        loopback=Loopback(
            address=plan.loopback,
            own=frozenset(plan.own_ports),
            local=tuple(plan.local_ports),
            opened=frozenset(plan.opened_ports),
            denied=frozenset(plan.denied_ports),
        ),
        socket_roots=[(root, _folder(root)) for root in plan.socket_roots],
        connector=Connector(lambda: _enter(ports), lambda: os.kill(kernel, calls.SIGKILL)),
    )


def _become_supervised(plan: LaunchPlan, command: list[str], parent: int, handing: Handing) -> None:
    privileges.die_with(parent)
    if landlock.abi() >= landlock.NESTING_ABI:
        # A domain of its own: what is outside of it, in it or not, it cannot trace (landlock(7)).
        # The scopes keep signals away from there. It allows no port where it is one of ports, so
        # that whatever goes past the supervisor goes nowhere.
        denied = landlock.CONNECT_TCP if plan.paths else 0
        landlock.restrict_self(landlock.further_ruleset(ports=denied, scopes=plan.scopes))
    handing.over(seccomp.install(plan.program, listener=True))
    _become(command, plan)


def _become(command: list[str], plan: LaunchPlan) -> None:
    for number in (*_TO_THE_GROUP, calls.SIGPIPE):
        calls.signal(number, calls.SIG_DFL)
    environ = {**os.environ, **plan.variables, "JPY_PARENT_PID": str(os.getppid())}
    os.closerange(3, 1 << 20)  # nothing of the server's, nothing of ours (R45)
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606
    except OSError as error:
        _fail(f"{command[0]}: {error.strerror}")


def _fail(words: str) -> Never:
    try:
        sys.stderr.write(f"[E valet-sandbox] {words}\n")
        sys.stderr.flush()
    finally:
        os._exit(FAILED)


def _folder(path: str) -> int:
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        raise OSError(f"the folder {path} is gone") from None


if __name__ == "__main__":
    main(sys.argv[1:])
