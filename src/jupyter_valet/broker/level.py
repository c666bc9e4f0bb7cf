"""Which isolation level holds, from what was measured (design, section 3).

The sandbox and the server's lockdown, which make L2 and L2+, are measured elsewhere; the broker
alone reaches L1 at most, and only when no key lies open at rest (R01).
"""

from __future__ import annotations

import sys

from .hardening import Hardening

_OPEN_AT_REST = frozenset({"file"})
"""Key sources whose key any program of the same user can read."""

_L0 = "no token is in notebooks or outputs; nothing stops a program that runs as you and looks"
_L1 = "no program reads the broker passively; one that runs as you and is patient still wins"


def level(hardening: Hardening, key_source: str) -> tuple[str, str]:
    """Return the level and what it means; `key_source` is empty while there is no vault."""
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
