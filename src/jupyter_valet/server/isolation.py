"""What this server measured around a kernel: the wall that it is behind, and the lockdown.

It goes to the broker with the kernel's capability. A kernel is never asked.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.serverapp import ServerApp

from ..sandbox.kernel_manager import Walled
from ..sandbox.policy import Mode, Policy
from ..sandbox.probe import NOT_STOPPED_BY, Report, Verdict
from ..wire.isolation import Isolation
from . import lockdown

_BETWEEN_KERNELS = "R34"


def around(server: ServerApp, manager: Any) -> Isolation:
    """Return what is known of the kernel of a kernel manager that is about to start it."""
    if not isinstance(manager, Walled):
        return Isolation()
    report = manager.wall.report
    if manager.wall.given_up:
        return Isolation(trouble=manager.wall.given_up.rstrip("."))
    if report is None or not report.holds or not manager.behind:
        return Isolation(trouble="this kernel was not started through it")
    return behind(report, manager.wall.policy, _missing(server, manager, report))


def behind(report: Report, policy: Policy, unlocked: list[str]) -> Isolation:
    """Return what a probe's report means for a kernel behind that wall."""
    known = NOT_STOPPED_BY.get(report.backend, frozenset())
    return Isolation(
        wall=report.backend,
        stopped=report.stopped,
        passed=sorted(
            finding.attack
            for finding in report.findings
            if finding.verdict is Verdict.WORKS and finding.attack in known
        ),
        ports=sorted(policy.listen),
        unlocked=unlocked,
    )


def _missing(server: ServerApp, manager: Walled, report: Report) -> list[str]:
    policy = manager.wall.policy
    facts = lockdown.look(
        server,
        writable=lambda path: policy.mode(path) is Mode.WRITE,
        kernels_apart=manager.transport_encryption == "required" or apart(report),
    )
    return lockdown.missing(facts)


def apart(report: Report) -> bool:
    """Tell whether the probe saw that one kernel does not reach another's ports (R34)."""
    seen = [finding for finding in report.findings if finding.row == _BETWEEN_KERNELS]
    return bool(seen) and all(finding.verdict is Verdict.STOPPED for finding in seen)
