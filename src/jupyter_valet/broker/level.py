"""Which isolation level holds for whoever asks, from what was measured (design, section 3).

The broker measures itself (L0, L1). The wall around a kernel and the server's lockdown (L2, L2+)
are measured by the server, which says so when it registers the kernel. No sentence here is stronger
than what was seen.
"""

from __future__ import annotations

import sys

from ..wire.isolation import SHORT_OF, Isolation
from .hardening import Hardening

_OPEN_AT_REST = frozenset({"file"})
"""Key sources whose key any program of the same user can read, outside a wall."""

_L0 = "no token is in notebooks or outputs; nothing stops a program that runs as you and looks"
_L1 = "no program reads the broker passively; one that runs as you and is patient still wins"
_L2 = "direct attacks from this kernel are stopped"
_L2_PLUS = "code here may use a connection within its policy and cannot read it"
_UNMEASURED = Isolation()


def level(
    hardening: Hardening, key_source: str, isolation: Isolation = _UNMEASURED
) -> tuple[str, str]:
    """Return the level and what it means; `key_source` is empty while there is no vault."""
    if not isolation.walled:
        name, words = _without_wall(hardening, key_source)
        return name, words + _because(isolation.trouble)
    behind = f"the {isolation.wall} wall stopped {isolation.stopped} attacks"
    if weak := _below_l2_plus(hardening, isolation):
        return "L2", f"{_L2} ({behind}){SHORT_OF}{', '.join(weak)}"
    return "L2+", f"{_L2_PLUS} ({behind}){_besides(key_source)}"


def _without_wall(hardening: Hardening, key_source: str) -> tuple[str, str]:
    if hardening.complete and key_source and key_source not in _OPEN_AT_REST:
        return "L1", _L1
    return "L0", f"{_L0}{_why(hardening, key_source)}"


def _why(hardening: Hardening, key_source: str) -> str:
    if not hardening.out_of_reach:
        return " (Jupyter runs with CAP_SYS_PTRACE, as root does, so kernels can read the broker)"
    if not hardening.complete:
        return f" (the broker cannot be hardened on {sys.platform})"
    if key_source in _OPEN_AT_REST:
        return " (the vault's key is a file: choose key_source keyring or passphrase for L1)"
    return ""


def _because(trouble: str) -> str:
    return f"; no wall: {trouble}" if trouble else ""


def _below_l2_plus(hardening: Hardening, isolation: Isolation) -> list[str]:
    """Return what keeps a walled kernel from L2+, in words."""
    weak = [*isolation.unlocked]
    if not hardening.closed:
        weak.append("the broker is not hardened")
    if not hardening.out_of_reach:
        weak.append("code in the server reads the broker: Jupyter has CAP_SYS_PTRACE (R58)")
    if isolation.ports:
        # A browser shows its Jupyter cookie to whatever listens on this host (R80).
        listed = ", ".join(str(port) for port in isolation.ports)
        weak.append(f"kernels may listen on port {listed}")
    return weak


def _besides(key_source: str) -> str:
    """Say what L2+ does not reach: programs of the person that are no kernels."""
    if key_source in _OPEN_AT_REST:
        return "; outside kernels, any program of yours reads the key file"
    return ""
