"""The table of attacks as data, what counts as at least as good, and the score."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROWS = Path(__file__).parent / "rows.toml"
IN_THE_TEST = "in the test"
"""A row's control when the test itself shows the same act succeed for the one who may."""

_ORDER = {"X": 0, "U": 1, "B": 2}

VERDICTS = {
    "B": "blocked",
    "U": "use within policy only",
    "X": "the attacker has the secret, or control",
    "broken": "the attack itself is broken: counts as a failure",
    "·": "not run; the row says why",
}


@dataclass(frozen=True)
class Row:
    """One attack."""

    id: str
    attack: str
    area: str
    weight: int
    expected: Mapping[str, str]
    """By column of the table: L0, L1, L2, L2+, L3."""
    run: str = ""
    """`module:function` in `attacks/`, run inside a kernel."""
    loot: tuple[str, ...] = ()
    """The planted secrets that count; empty: all but the environment's own."""
    after: str = ""
    """What the person does next, in `aftermath.py`; then the mark is looked for."""
    script: str = ""
    """A function of `browser.py`."""
    tests: tuple[str, ...] = ()
    """The tests that hold the row's attack, as pytest names them."""
    open: bool = False
    """Whether those tests pass while the attack works: the declared residue."""
    undo: str = ""
    """The defence in `knockout.py` without which those tests must fail: their positive control."""
    control: str = "control"
    """The level, or the way (`local`), in which the attack must succeed."""
    root: bool = False
    """Only root can try."""
    root_expected: Mapping[str, str] = field(default_factory=dict)
    """Where root with all capabilities is worse off than the table says, and is documented so."""
    last: int = 0
    """Destructive: run after all others, in this order."""
    skip: str = ""
    """Why it cannot run."""

    @property
    def ours(self) -> bool:
        """Whether it is not of the reference's 177."""
        return self.id.startswith("X")

    def goal(self, column: str, *, root: bool) -> str:
        """Return the expected verdict."""
        if root and column in self.root_expected:
            return self.root_expected[column]
        return self.expected[column]


@dataclass(frozen=True)
class Seen:
    """What was measured for one row at one level."""

    verdict: str
    evidence: str = ""

    @property
    def ran(self) -> bool:
        """Whether there is a verdict at all."""
        return self.verdict in _ORDER


def load(path: Path = ROWS) -> dict[str, Row]:
    """Return all rows by id."""
    table: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    rows = {}
    for id_, entry in table.items():
        columns = ("L0", "L1", "L2", "L2+", "L3")
        expected = dict(zip(columns, entry.pop("expected").split(), strict=True))
        lists = {name: tuple(entry.pop(name, ())) for name in ("tests", "loot")}
        rows[id_] = Row(id=id_, expected=expected, **lists, **entry)
    return rows


def good_enough(seen: str, expected: str) -> bool:
    """Whether what was seen is at least as good as what the table expects."""
    return seen in _ORDER and _ORDER[seen] >= _ORDER[expected]


def score(
    rows: Iterable[Row], seen: Mapping[str, Seen], column: str, *, root: bool
) -> tuple[int, int]:
    """Return the weight of the rows that are as good as expected, and of all that were tried.

    A row that could not run counts in neither; one whose attack is broken counts as not met.
    """
    ran = [row for row in rows if row.id in seen and seen[row.id].verdict != "·"]
    met = sum(
        row.weight for row in ran if good_enough(seen[row.id].verdict, row.goal(column, root=root))
    )
    return met, sum(row.weight for row in ran)
