"""The official suite: what a revision requires of servers and of clients, run and counted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from packages import node, package
from turns import VARIABLE

REVISIONS = ("2025-11-25", "2026-07-28")
Role = Literal["server", "door", "client"]
"""Our server at the broker's own listener, the same on Jupyter's port, and our client."""

SCENARIO_SECONDS = 600
"""The suite starts all clients at once, and they wait for their turns (`turns`)."""

SECONDS = 1200.0
"""The longest that one side of one revision may take."""

HERE = Path(__file__).resolve().parent
_TITLES = {
    "server": "the broker's listener",
    "door": "Jupyter's port",
    "client": "our upstream client",
}
_PROGRAMS = {"server": "suite_server.py", "door": "suite_door.py"}
_SUITE = "@modelcontextprotocol/conformance"
_STAMP = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")


@dataclass
class Score:
    """One side of one revision. The lists name scenarios that the revision requires."""

    required: int = 0
    passed: list[str] = field(default_factory=list)
    failed: dict[str, list[str]] = field(default_factory=dict)
    """What is wrong, by scenario."""
    warnings: dict[str, list[str]] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=Counter)
    """Checks of required scenarios, by their outcome."""
    not_scored: dict[str, str] = field(default_factory=dict)
    status: int = 0
    """Of the suite itself: not 0 when anything is not as the baseline says."""
    said: str = ""
    """What the suite printed last, when its status is not 0."""

    @property
    def good(self) -> bool:
        """Whether everything that is required passes."""
        return not self.failed and not self.status and len(self.passed) == self.required

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "checks": dict(self.checks), "good": self.good}


def requirements(revision: str) -> Mapping[str, Any]:
    """Return what the suite's own file says that a revision requires."""
    text = (package(_SUITE) / "requirements" / f"{revision}.yaml").read_text("utf-8")
    read: Mapping[str, Any] = yaml.safe_load(text)
    return read


def run(role: Role, revision: str, folder: Path) -> Score:
    """Run one side of one revision; the suite's own files go to `folder`."""
    folder.mkdir(parents=True)
    with _target(role) as target, (folder / "output.txt").open("w") as said:
        status = _suite(role, revision, target, folder, said)
    score = _score(role, revision, folder / "results")
    score.status = status
    if status:
        score.said = _last_lines((folder / "output.txt").read_text("utf-8", "replace"))
    return score


def _last_lines(output: str) -> str:
    """Return the end of what the suite printed: it says there what its baseline has otherwise."""
    return " / ".join(filter(None, map(str.strip, output.splitlines()[-8:])))


def _suite(role: Role, revision: str, target: list[str], folder: Path, said: Any) -> int:
    command = [
        *(str(node()), str(package(_SUITE) / "dist/index.js"), _leg(role), *target),
        *("--requirements", revision, "-o", str(folder / "results")),
        *("--expected-failures", str(HERE / "expected-failures.yml")),
        *("--timeout", str(SCENARIO_SECONDS * 1000)),
    ]
    with tempfile.TemporaryDirectory() as turns:
        told = {**_environment(), VARIABLE: turns}
        done = subprocess.run(
            command, stdout=said, stderr=said, env=told, timeout=SECONDS, check=False
        )
    return done.returncode


@contextlib.contextmanager
def _target(role: Role) -> Iterator[list[str]]:
    """Yield how the suite is told what to test; a server runs meanwhile."""
    if role == "client":
        yield ["--command", f"{sys.executable} {HERE / 'suite_client.py'}"]
        return
    with subprocess.Popen(
        [sys.executable, str(HERE / _PROGRAMS[role])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
        text=True,
    ) as server:
        assert server.stdin
        assert server.stdout
        try:
            yield ["--url", server.stdout.readline().strip()]
        finally:
            server.stdin.close()
            server.wait(timeout=30)


def _leg(role: Role) -> str:
    """Return what the suite calls it."""
    return "client" if role == "client" else "server"


def _environment() -> dict[str, str]:
    folders = [str(HERE), *(str(HERE.parent / name) for name in ("integration", "providers"))]
    folders += filter(None, [os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "PYTHONSAFEPATH": ""}


# What came of it --------------------------------------------------------------------------------


def _score(role: Role, revision: str, results: Path) -> Score:
    wanted = requirements(revision)
    found = {name: _checks(file) for name, file in _results(role, results)}
    score = Score(required=len(wanted[_leg(role)]))
    for name in wanted[_leg(role)]:
        _count(score, name, found.get(name, []))
    for entry in wanted["not_scored"]:
        if entry["leg"] == _leg(role):
            checks = found.get(entry["scenario"], [])
            bad = any(check["status"] == "FAILURE" for check in checks)
            score.not_scored[entry["scenario"]] = "failed" if bad else "passed"
    return score


def _count(score: Score, name: str, checks: list[Mapping[str, Any]]) -> None:
    score.checks.update(check["status"] for check in checks)
    bad = [_words(check) for check in checks if check["status"] == "FAILURE"]
    if warned := [_words(check) for check in checks if check["status"] == "WARNING"]:
        score.warnings[name] = warned
    if bad or not any(check["status"] == "SUCCESS" for check in checks):
        score.failed[name] = bad or ["nothing was checked"]
    else:
        score.passed.append(name)


def _words(check: Mapping[str, Any]) -> str:
    return f"{check['id']}: {check.get('errorMessage') or check.get('description')}"


def _results(role: Role, results: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(results.rglob("checks.json")):
        name = _STAMP.sub("", file.parent.relative_to(results).as_posix())
        yield (name if role == "client" else name.removeprefix("server-")), file


def _checks(file: Path) -> list[Mapping[str, Any]]:
    checks: list[Mapping[str, Any]] = json.loads(file.read_text("utf-8"))
    return checks


def words(score: Score, role: Role, revision: str) -> str:
    """Return one line, and one for each warning."""
    total = sum(score.checks.values()) - score.checks["INFO"] - score.checks["SKIPPED"]
    passed = f"{len(score.passed)} of {score.required} required scenarios pass"
    lines = [f"{revision}, {_TITLES[role]}: {passed}, {score.checks['SUCCESS']} of {total} checks"]
    lines += [
        f"  warns {name}: {one}" for name, several in score.warnings.items() for one in several
    ]
    return "\n".join(lines)


def wrong(score: Score, role: Role, revision: str) -> list[str]:
    """Return a line for each thing that is not as it must be."""
    lines = [f"{name}: {one}" for name, several in score.failed.items() for one in several]
    if score.status:
        lines.append(f"the suite ended with status {score.status}; it says: {score.said}")
    if not lines and not score.good:
        lines.append("not every scenario that is required was run")
    return [f"{revision}, {_TITLES[role]}: {line}" for line in lines]
