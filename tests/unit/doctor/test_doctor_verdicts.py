"""What the doctor says is what was seen, and no more (D4)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jupyter_valet.doctor import page, snippet
from jupyter_valet.doctor.judge import Seen, Verdict, judge, worse_than_claimed
from jupyter_valet.doctor.report import Report
from jupyter_valet.doctor.rows import LEVELS, Row, load
from jupyter_valet.doctor.snippet import Got

ROWS = {row.id: row for row in load()}
TABLE = tomllib.loads(
    (Path(__file__).parents[2] / "redteam" / "rows.toml").read_text(encoding="utf-8")
)
ROW = Row("R99", "an attack", "L2", "it is bad", "do something", run="files:chosen")
SECRETS = {"vault": "canary-of-the-vault", "typed": "canary-that-was-typed"}
REFUSED = Got("PermissionError: no", ("PermissionError", "OSError", "Exception"))


@pytest.mark.parametrize(
    ("got", "verdict"),
    [
        (Got("CONTROL it is open"), Verdict.OPEN),
        (Got("USE as another"), Verdict.OPEN),
        (Got("words around canary-of-the-vault"), Verdict.OPEN),
        (Got("ValueError: canary-of-the-vault", ("ValueError", "Exception")), Verdict.OPEN),
        (Got("nothing of interest"), Verdict.BLOCKED),
        (REFUSED, Verdict.BLOCKED),
        (Got("no module", ("ModuleNotFoundError", "ImportError")), Verdict.UNTRIED),
        (Got("KeyError: 'x'", ("KeyError", "LookupError")), Verdict.UNTRIED),
        (Got("nothing was answered", ("Died",)), Verdict.UNTRIED),
    ],
)
def test_a_verdict_is_what_the_attack_got(got: Got, verdict: Verdict) -> None:
    """An attack that is broken has shown nothing: it is neither blocked nor open."""
    assert judge(ROW, got, SECRETS).verdict is verdict


def test_a_payload_that_ran_is_open_whatever_was_said() -> None:
    assert judge(ROW, REFUSED, SECRETS, marked=True).verdict is Verdict.OPEN


def test_a_row_with_loot_counts_nothing_else() -> None:
    """A listener that hears other people's words has not heard these."""
    row = Row("R99", "an attack", "L2", "bad", "do", run="x:y", loot=["typed"])
    assert judge(row, Got("CONTROL 3 ports, canary-of-the-vault"), SECRETS).verdict is (
        Verdict.BLOCKED
    )


def test_what_was_got_is_not_in_the_report() -> None:
    """The report may be posted: it holds no secret, also not a person's own."""
    seen = [judge(row, Got("CONTROL canary-of-the-vault"), SECRETS) for row in ROWS.values()]
    report = Report("a server", "L2", "words", "file", seen)
    for said in (report.text(), json.dumps(report.to_json())):
        assert "canary-of-the-vault" not in said


@pytest.mark.parametrize("level", LEVELS)
def test_worse_than_claimed_is_open_where_the_level_says_blocked(level: str) -> None:
    opened = [Seen(row, Verdict.OPEN) for row in ROWS.values()]
    worse = {one.row.id for one in worse_than_claimed(level, opened)}
    at = LEVELS.index(level)
    assert worse == {row.id for row in ROWS.values() if LEVELS.index(row.promised) <= at}


def test_the_exit_is_bad_when_nothing_could_be_measured() -> None:
    untried = [Seen(row, Verdict.UNTRIED, "why") for row in ROWS.values()]
    assert not Report("a server", "L0", "words", "file", untried).good
    assert not Report("a server", "", "", "", [Seen(ROW, Verdict.BLOCKED)]).good
    assert Report("a server", "L2", "words", "file", [Seen(ROW, Verdict.BLOCKED)]).good
    assert not Report("a server", "L2", "words", "file", [Seen(ROW, Verdict.OPEN)]).good


def test_a_blocked_attack_that_never_works_is_told_apart() -> None:
    blocked = [Seen(ROW, Verdict.BLOCKED, "no", proved=False)]
    assert "got nothing outside, too" in Report("x", "L2", "w", "file", blocked).text()


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_promises_what_the_red_team_measures(row: Row) -> None:
    """One table: the doctor's rows are the red team's, and promise nothing that it does not."""
    entry = TABLE[row.id]
    expected = dict(zip(LEVELS, entry["expected"].split(), strict=True))
    promised = [level for level in LEVELS if expected[level] == "B"]
    assert row.promised == promised[0]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_can_be_run_and_says_in_one_line_what_to_do(row: Row) -> None:
    assert bool(row.run) != bool(row.page)
    for line in (row.attack, row.means, row.advice):
        assert line
        assert "\n" not in line
    if row.page:
        assert row.page in page.CHECKS
    else:
        module, _, function = row.run.partition(":")
        assert re.search(rf"^def {function}\(t\):", snippet.source(module), re.MULTILINE)


@pytest.mark.parametrize(
    "module", ["bus", "files", "listening", "memory", "places", "privileges", "server_api"]
)
def test_attacks_import_nothing_of_ours(module: str) -> None:
    """They run in kernels that may have nothing but a standard library."""
    assert "import jupyter_valet" not in snippet.source(module)
    assert "from jupyter_valet" not in snippet.source(module)


def test_an_attack_says_what_it_got_through_what_it_printed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a canary")
    target = {"hidden": str(tmp_path / "secret")}
    code = snippet.program("files:chosen", target)
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert snippet.read(done.stdout) == Got("a canary")
    (tmp_path / "secret").unlink()
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert "OSError" in snippet.read(done.stdout).kinds


def test_a_kernel_that_prints_nothing_has_shown_nothing() -> None:
    assert judge(ROW, snippet.read("Traceback"), SECRETS).verdict is Verdict.UNTRIED
