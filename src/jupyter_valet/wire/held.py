"""Calls that the broker holds because their client cannot ask, and the kernel that can.

An agent's framework calls the MCP endpoint by itself, with the kernel's capability; when such a
call waits for the person, the kernel that it came from shows the card. ``GET /held?after=&wait=``
answers with a `HeldView` as soon as its `revision` is another than `after`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from .views import TransactionView, _View

ROUTE = "/held"

PATIENCE = "X-Jupyter-Valet-Patience"
"""Request header: seconds that the client waits for the answer to a call. It is believed, for it
decides how long a call is held and nothing else."""

LONGEST = 600.0
"""The longest that a call is held, in seconds, whatever its client says."""


@dataclass(frozen=True)
class HeldView(_View):
    """What calls of one kernel are held for now. `revision` is another after each change."""

    revision: int
    questions: list[TransactionView] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build the view, and the questions in it, from decoded JSON."""
        questions = [TransactionView.from_json(q) for q in data.get("questions", [])]
        return super().from_json({**data, "questions": questions})
