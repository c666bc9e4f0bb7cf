"""What the server measured around one kernel, which the broker cannot see from where it is.

The server sends it when it registers a kernel's capability; a kernel never does. What is left out
counts as missing, so a server that measures nothing claims nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .views import _View

NOT_MEASURED = "the server did not look"


SHORT_OF = "; not L2+: "
"""In the words of a level: behind it is what keeps it from L2+, which is too much for a card."""


@dataclass(frozen=True)
class Isolation(_View):
    """The wall around a kernel and the server's lockdown, as they were measured."""

    wall: str = ""
    """Name of the back end, when its probe held and this kernel is behind it; else empty."""
    stopped: int = 0
    """How many attacks of the probe worked without the wall and did not behind it."""
    passed: list[str] = field(default_factory=list)
    """Attacks that the wall is known not to stop, in the probe's words."""
    ports: list[int] = field(default_factory=list)
    """Ports on which this kernel may listen, by the person's own decision (R80)."""
    trouble: str = ""
    """Why there is no wall, in words; for people who asked for one."""
    unlocked: list[str] = field(default_factory=lambda: [NOT_MEASURED])
    """What is missing of the server's lockdown, in words; empty when all of it is in force."""

    @property
    def walled(self) -> bool:
        """Whether this kernel runs behind a wall that was seen to hold."""
        return bool(self.wall) and self.stopped > 0

    @property
    def locked_down(self) -> bool:
        """Whether the server's lockdown profile is in force, in all of its parts."""
        return not self.unlocked
