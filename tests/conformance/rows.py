"""The rows of the checklist, and what `docs/conformance.md` says of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from named import named
from packages import REPOSITORY

PAGE = REPOSITORY / "docs" / "conformance.md"

_WORDS = {"M": "MUST", "N": "MUST NOT", "S": "SHOULD", "D": "SHOULD NOT", "A": "MAY", "-": "–"}
_LETTERS = {
    "ES": "NMNMM MMMMM NMMMM NMMNN NNMMN NDSSM MMM",
    "EC": "MMMMM MMMMS NNMMS SDSSS -M",
    "MS": "NMMMS MNSSS",
    "MC": "MMMNM MS",
    "PS": "NMMMM M",
    "RS": "MMSMM NMSSM MNM",
    "CL": "MMMMM SMMMM MMSMN SSMMM",
    "AS": "MMMMM A-",
    "BP": "MMMMM MNNMS SSS-M NMSMS S--",
}
"""What the specification says, row by row; the strictest, where a row has several."""

LEVELS: Mapping[str, str] = {
    f"{part}-{number:02}": _WORDS[letter]
    for part, letters in _LETTERS.items()
    for number, letter in enumerate(letters.replace(" ", ""), 1)
}
"""Every row there is, and its level."""

HOLDS, NEVER, OPEN = "holds", "does not apply", "open"
VERDICTS = (HOLDS, NEVER, OPEN)


@dataclass(frozen=True)
class Row:
    """One row of the page."""

    id: str
    level: str
    rule: str
    shown: str
    """Its tests, or why it does not apply, or what is missing."""
    verdict: str

    @property
    def tests(self) -> list[str]:
        """The names of its tests, as `file.py::test`."""
        return named(self.shown)

    @property
    def required(self) -> bool:
        """Whether the specification leaves no choice."""
        return LEVELS[self.id].startswith("MUST")


def read() -> dict[str, Row]:
    """Return the rows of the page by their id."""
    rows = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.fullmatch(r"[A-Z]{2}-\d\d", cells[0]):
            rows[cells[0]] = Row(*cells)
    return rows
