"""Rows whose attack is held by the project's own tests, run as they are and without the defence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from table import Row, Seen

REPOSITORY = Path(__file__).resolve().parents[2]


def outcomes(rows: Iterable[Row]) -> dict[str, str]:
    """Run all rows' tests once, as they are."""
    return run_tests({node for row in rows if not row.skip for node in row.tests})


def verdicts(rows: Iterable[Row], found: Mapping[str, str]) -> Iterator[tuple[Row, Seen]]:
    """Yield what the rows' tests say, by their outcomes."""
    for row in rows:
        if row.tests and not row.skip:
            yield row, _verdict(row, found)


def controls(rows: Iterable[Row], held: Mapping[str, str]) -> Iterator[tuple[Row, Seen]]:
    """Run each row's tests once more without its defence: one that held must fail."""
    mine = [row for row in rows if row.tests and row.undo and not row.skip]
    for undo in sorted({row.undo for row in mine}):
        those = [row for row in mine if row.undo == undo]
        try:
            found = run_tests({node for row in those for node in row.tests}, undo)
        except RuntimeError as error:  # the defence has moved: no control, and the run goes on
            yield from ((row, Seen("broken", str(error)[-300:])) for row in those)
            continue
        for row in those:
            failed = [node for node in _of(row, found)
                      if found[node] == "failed" and held.get(node) == "passed"]  # fmt: skip
            words = f"without the defence ({undo}) {len(failed)} of its tests fail"
            yield row, Seen("X" if failed else "B", words)


def _verdict(row: Row, outcomes: Mapping[str, str]) -> Seen:
    mine = _of(row, outcomes)
    missing = [node for node in row.tests if not any(_is(node, found) for found in mine)]
    if missing:
        return Seen("broken", f"there is no test {missing[0]}")
    if skipped := [node for node in mine if outcomes[node] == "skipped"]:
        return Seen("·", f"skipped here: {skipped[0]}")
    if failed := [node for node in mine if outcomes[node] == "failed"]:
        return Seen("B" if row.open else "X", f"{failed[0].rpartition('/')[2]} fails")
    words = "the attack works, in the test" if row.open else "hold"
    return Seen("X" if row.open else "B", f"{len(mine)} tests: {words}")


def _of(row: Row, outcomes: Mapping[str, str]) -> list[str]:
    return [found for found in outcomes if any(_is(node, found) for node in row.tests)]


def _is(wanted: str, found: str) -> bool:
    pattern = wanted.replace("[", "[[]")
    return fnmatchcase(found, pattern) or found.startswith(f"{wanted}[")


def run_tests(wanted: Iterable[str], undo: str = "") -> dict[str, str]:
    """Run tests by their names, without what stands in brackets; return all outcomes."""
    nodes = sorted({node.partition("[")[0] for node in wanted})
    if not nodes:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "knockout", "-p", "no:cacheprovider"]
        here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [*command, f"--basetemp={folder}/t", "--timeout=60", *nodes],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "PYTHONPATH": here,
                "PYTHONDONTWRITEBYTECODE": "1",
                "HYPOTHESIS_STORAGE_DIRECTORY": folder,
                "REDTEAM_UNDO": undo,
                "REDTEAM_OUTCOMES": str(outcomes),
            },
            capture_output=True,
            text=True,
            timeout=900,
        )
        if not outcomes.exists():
            raise RuntimeError(
                f"the tests did not run ({undo}): {done.stdout[-2000:]}{done.stderr[-1000:]}"
            )
        return dict(json.loads(outcomes.read_text()))
