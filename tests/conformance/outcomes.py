"""What a run of pytest came to, by the name of a test and whatever its parameters."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass
class Outcomes:
    """Tests as `file.py::test`: how often each passed, and what went wrong."""

    good: dict[str, int] = field(default_factory=dict)
    bad: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, report: Path) -> Self:
        """Read a JUnit report; one that is missing is a run that did nothing."""
        found = cls()
        if report.exists():
            for case in ET.parse(report).iter("testcase"):
                found._add(case)
        return found

    def _add(self, case: ET.Element) -> None:
        name = _name(case)
        trouble = [child for child in case if child.tag in ("failure", "error", "skipped")]
        if trouble:
            why = f"{case.get('name')}: {trouble[0].get('message', '')}".splitlines()[0]
            self.bad.setdefault(name, []).append(why[:300])
        else:
            self.good[name] = self.good.get(name, 0) + 1

    def passed(self, name: str) -> bool:
        """Tell whether a test ran, and passed each time; one that was skipped did not."""
        return name in self.good and name not in self.bad

    def failed(self) -> list[str]:
        """Return what went wrong, line by line."""
        return [f"{name}: {why}" for name, several in self.bad.items() for why in several]

    def of_files(self, files: set[str]) -> dict[str, Any]:
        """Return the figures of some files."""
        names = {name for name in {*self.good, *self.bad} if name.partition("::")[0] in files}
        return {
            "passed": sum(self.good.get(name, 0) for name in names),
            "failed": {name: self.bad[name] for name in sorted(names) if name in self.bad},
            "tests": {name: self.passed(name) for name in sorted(names)},
        }


def _name(case: ET.Element) -> str:
    module = (case.get("classname") or "").rpartition(".")[2]
    return f"{module}.py::{(case.get('name') or '').partition('[')[0]}"
