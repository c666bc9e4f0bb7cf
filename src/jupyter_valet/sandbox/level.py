"""Which isolation level the wall gives, computed from what was seen (design, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

from .probe import Report

NO_WALL = "kernels run as you, without a wall"


def level(report: Report | None, *, ports: Sequence[int] = ()) -> tuple[str, str]:
    """Return "L2" or "", and what that means in words.

    Empty means that the wall claims nothing: what holds is then what the broker measured of itself
    (L0 or L1). L2+ needs the server's lockdown as well, which is not the wall's to say.
    """
    if report is None:
        return "", NO_WALL
    if not report.holds:
        return "", f"the {report.backend} wall does not hold here: {_why(report)}"
    words = f"kernels are behind the {report.backend} wall, which stopped {report.stopped} attacks"
    if ports:
        listed = ", ".join(str(port) for port in ports)
        words += (
            f"; kernels may listen on port {listed}, where your browser shows them its Jupyter "
            "cookie (R80)"
        )
    return "L2", words


def _why(report: Report) -> str:
    if report.broken:
        return f"{report.broken[0].attack} works"
    return "the attacks on it could not be run"
