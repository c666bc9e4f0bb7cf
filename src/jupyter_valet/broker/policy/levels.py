"""Isolation levels in order, and whether a grant covers the one at hand (design, section 3)."""

from __future__ import annotations

LEVELS = ("L0", "L1", "L2", "L2+", "L3")


def at_least(level: str, wanted: str) -> bool:
    """Tell whether `level` is `wanted` or better; an unknown level is worse than all."""
    return _rank(level) >= _rank(wanted)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1
