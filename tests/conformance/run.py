"""`make conformance`: the official suite, an independent client, our own suite, and every row.

Prints what passes, and each thing that does not; writes `build/conformance.json`. The exit status
tells whether anything that is required fails: a scenario of the official suite, a test of ours, or
a row of `docs/conformance.md` that the specification calls MUST.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import official  # noqa: E402
import rows  # noqa: E402
from named import places  # noqa: E402
from outcomes import Outcomes  # noqa: E402
from packages import REPOSITORY  # noqa: E402

BUILD = REPOSITORY / "build"
SUMMARY = BUILD / "conformance.json"
INSPECTOR = "test_mcpdo.py"
PARTS = ("server", "door", "client", "tests")


def main() -> int:
    """Run the parts that were asked for; all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"some of: {', '.join(PARTS)}")
    parts = parser.parse_args().parts
    folder = BUILD / "conformance"
    shutil.rmtree(folder, ignore_errors=True)
    summary: dict[str, Any] = {"revisions": {revision: {} for revision in official.REVISIONS}}
    wrong = [line for part in parts if part != "tests" for line in _official(summary, part, folder)]
    if "tests" in parts:
        wrong += _tests(summary, folder)
    SUMMARY.write_text(json.dumps(summary, indent=1) + "\n")
    # At the end, where one who has only the last lines of a long log still reads it.
    print("\n".join(f"  WRONG {line}" for line in wrong))
    print(f"{SUMMARY.relative_to(REPOSITORY)} is written: {'NOT GOOD' if wrong else 'good'}")
    return 1 if wrong else 0


def _official(summary: dict[str, Any], role: official.Role, folder: Path) -> list[str]:
    """Run one side of both revisions; return what is wrong."""
    wrong = []
    for revision in official.REVISIONS:
        score = official.run(role, revision, folder / revision / role)
        print(official.words(score, role, revision), flush=True)
        summary["revisions"][revision][role] = score.to_json()
        wrong += official.wrong(score, role, revision)
    return wrong


def _tests(summary: dict[str, Any], folder: Path) -> list[str]:
    """Run the tests that the page names, with those that are here; judge the rows by them."""
    page = rows.read()
    named = {test for row in page.values() for test in row.tests}
    status, found = _pytest(named, folder / "tests.xml")
    own = {path.name for path in HERE.glob("test_*.py")}
    summary["mcpdo"] = found.of_files({INSPECTOR})
    summary["own"] = found.of_files(own - {INSPECTOR})
    summary["rows"] = {
        row.id: {"level": row.level, "verdict": _verdict(row, found), "test": row.tests}
        for row in page.values()
    }
    wrong = [*found.failed(), *_wrong_rows(page, summary["rows"])]
    if status:
        wrong.append(f"pytest ended with status {status}")
    for name, part in (("mcpdo", summary["mcpdo"]), ("own suite", summary["own"])):
        print(f"{name}: {part['passed']} tests pass, {len(part['failed'])} fail")
    verdicts = [row["verdict"] for row in summary["rows"].values()]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in dict.fromkeys(verdicts))
    print(f"rows: {len(verdicts)}: {counts}")
    return wrong


def _pytest(named: set[str], report: Path) -> tuple[int, Outcomes]:
    report.parent.mkdir(parents=True, exist_ok=True)
    ids = [f"{places()[name]}::{name.partition('::')[2]}" for name in sorted(named)]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"]
    command += ["--timeout", "180", f"--junitxml={report}", str(HERE), *ids]
    done = subprocess.run(command, cwd=REPOSITORY, check=False)
    return done.returncode, Outcomes.read(report)


def _verdict(row: rows.Row, found: Outcomes) -> str:
    if row.verdict != rows.HOLDS:
        return row.verdict
    return rows.HOLDS if all(found.passed(test) for test in row.tests) else "fails"


def _wrong_rows(page: dict[str, rows.Row], judged: dict[str, Any]) -> list[str]:
    return [
        f"{row.id} ({row.level}): the page says {row.verdict}, seen: {judged[row.id]['verdict']}"
        for row in page.values()
        if judged[row.id]["verdict"] == "fails" or (row.required and row.verdict == rows.OPEN)
    ]


if __name__ == "__main__":
    raise SystemExit(main())
