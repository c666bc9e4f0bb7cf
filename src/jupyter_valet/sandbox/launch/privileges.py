"""Giving up capabilities; ending with the process above, and as the one below."""

from __future__ import annotations

import os

from . import system

_LAST_CAPABILITY = 63


def drop_capabilities() -> None:
    """Give up every capability for good, also those that an exec as root would bring back.

    Raises `OSError` when some are left.
    """
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            system.prctl(system.PR_CAPBSET_DROP, capability)
        except OSError:  # unknown here, or an ordinary user who has none
            pass
    try:
        system.prctl(system.PR_CAP_AMBIENT, system.PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError:
        pass
    system.capset_none()
    if _capabilities_left():
        raise OSError("capabilities are left")


def _capabilities_left() -> bool:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
        text = status.read()
    lines = (line.partition(":") for line in text.splitlines() if line.startswith("Cap"))
    sets = {name: int(value, 16) for name, _, value in lines}
    bounding = sets.pop("CapBnd")
    # An ordinary user cannot empty the bounding set, and needs not: an exec gives nothing back.
    return (os.geteuid() == 0 and bounding != 0) or any(sets.values())


def die_with(parent: int) -> None:
    """Get SIGKILL when `parent` ends; end now if it has ended already.

    "Parent" is the thread that forked: a server must start kernels from one that stays.
    """
    system.prctl(system.PR_SET_PDEATHSIG, system.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def end_like(status: int) -> None:
    """End this process as the wait status says that the kernel ended."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        system.signal(-code, system.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)
