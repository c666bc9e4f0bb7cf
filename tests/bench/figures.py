"""One measured figure, and how samples become one."""

from __future__ import annotations

import statistics
from typing import Any


def ratio(name: str, measured: list[float], against: list[float], goal: str) -> dict[str, Any]:
    """Return the ratio of two medians; both samples are kept, in seconds."""
    value = statistics.median(measured) / statistics.median(against)
    return {
        "name": name,
        "value": round(value, 3),
        "unit": "×",
        "goal": goal,
        "measured": _summary(measured),
        "against": _summary(against),
    }


def median(name: str, measured: list[float], goal: str, unit: str = "ms") -> dict[str, Any]:
    """Return a median, in milliseconds unless `unit` says otherwise."""
    scale = 1000 if unit == "ms" else 1
    value = statistics.median(measured) * scale
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "goal": goal,
        "measured": _summary(measured),
    }


def _summary(samples: list[float]) -> dict[str, float]:
    ordered = sorted(samples)
    return {
        "n": len(ordered),
        "min": round(ordered[0], 6),
        "median": round(statistics.median(ordered), 6),
        "p90": round(ordered[int(len(ordered) * 0.9) - (len(ordered) > 1)], 6),
        "max": round(ordered[-1], 6),
    }
