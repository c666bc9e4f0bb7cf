"""The rows that the doctor tries, and what counts as worse than a level claims."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

LEVELS = ("L0", "L1", "L2", "L2+", "L3")


@dataclass(frozen=True)
class Row:
    """One attack; `rows.toml` says what the fields mean."""

    id: str
    attack: str
    promised: str
    means: str
    advice: str
    run: str = ""
    page: str = ""
    control: str = ""
    loot: Sequence[str] = ()
    live: bool = False
    everywhere: bool = False
    root: bool = False

    def claimed_at(self, level: str) -> bool:
        """Whether a level says that this attack is blocked."""
        return level in LEVELS and LEVELS.index(level) >= LEVELS.index(self.promised)


def load() -> list[Row]:
    """Return all rows, as they stand in the table."""
    text = (resources.files(__package__) / "rows.toml").read_text(encoding="utf-8")
    return [Row(id=name, **entry) for name, entry in tomllib.loads(text).items()]
