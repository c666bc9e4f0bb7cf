"""The rows that take little time, for every run of the tests; `make redteam` has all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import table
from channel import Got
from judge import judge
from knockout import UNDO
from results import Record, merge
from table import Row, Seen

pytestmark = pytest.mark.redteam

ROWS = table.load()
QUICK = [
    "R01", "R02", "R03", "R11", "R12", "R13", "R15", "R16", "R17", "R18", "R44", "R45", "R53",
]  # fmt: skip
"""What the broker's hardening is for; root with CAP_SYS_PTRACE gets past it (R51)."""

LIVE = pytest.mark.skipif(sys.platform != "linux", reason="the broker is hardened on Linux")
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def test_the_table_is_whole() -> None:
    """403, and every row says what runs it or why nothing does."""
    reference = [row for row in ROWS.values() if row.id.startswith("R")]
    assert len(reference) == 177
    assert sum(row.weight for row in reference) == 403
    for row in ROWS.values():
        assert row.run or row.script or row.tests or row.skip, row.id
        assert not row.undo or row.undo in UNDO


def test_an_attack_that_is_broken_is_no_defence() -> None:
    row = ROWS["R11"]
    typo = Got("NameError: name 'x' is not defined", ("NameError", "Exception"))
    assert judge(row, typo, "", _nowhere(), {}, []).verdict == "broken"
    wall = Got("PermissionError: no", ("PermissionError", "OSError"))
    assert judge(row, wall, "", _nowhere(), {}, []).verdict == "B"


def test_a_secret_in_what_an_attack_returns_is_a_win() -> None:
    seen = judge(ROWS["R11"], Got("… tok-1 …"), "", _nowhere(), {}, ["tok-1"])
    assert seen == Seen("X", "got the secret: a credential of the vault")
    assert "tok-1" not in seen.evidence


def test_a_broken_attack_costs_its_weight() -> None:
    row = Row("R1", "", "os", 3, {"L1": "B"})
    assert table.score([row], {"R1": Seen("broken")}, "L1", root=False) == (0, 3)
    assert table.score([row], {"R1": Seen("·")}, "L1", root=False) == (0, 0)
    assert table.score([row], {"R1": Seen("B")}, "L1", root=False) == (3, 3)


_EACH_IN_A_CHILD = """
import os, sys
sys.path.insert(0, sys.argv[1])
import jupyter_valet.broker.services
from knockout import UNDO
for name, undo in UNDO.items():
    child = os.fork()
    if child == 0:
        try:
            undo()
        except BaseException as error:
            print(name, error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@LIVE
def test_each_defence_that_a_control_takes_out_is_still_there() -> None:
    """Else the control would be none, and `make redteam` is where that would be seen."""
    command = [sys.executable, "-c", _EACH_IN_A_CHILD, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-2000:]


def _two() -> dict[str, Row]:
    expected = dict.fromkeys(("L0", "L1", "L2", "L2+", "L3"), "B")
    return {
        "R1": Row("R1", "", "os", 3, expected, run="a:b"),
        "X1": Row("X1", "", "os", 1, expected, run="a:b"),
    }


def _recorded(folder: Path, user: str, level: str, **seen: str) -> None:
    record = Record.load(folder / user / f"{level}.json")
    for id_, verdict in seen.items():
        record.put(id_, Seen(verdict))


def test_the_summary_counts_what_a_control_proved_and_nothing_else(tmp_path: Path) -> None:
    """An attack that fails because the test is broken is no defence; our own rows count apart."""
    _recorded(tmp_path, "ann", "control", R1="X", X1="B")
    _recorded(tmp_path, "ann", "L1", R1="B", X1="B")
    merged = merge(_two(), tmp_path, ["L1", "L2"])
    level = merged["levels"]["L1"]
    assert level["rows"] == {"R1": "B", "X1": "broken"}
    assert (level["blocked_weight"], level["of"]) == (3, 3)
    assert (level["own_rows_blocked_weight"], level["own_rows_of"]) == (0, 1)
    assert merged["users"]["ann"]["L1"]["unproved"] == ["X1"]
    assert "L2" not in merged["levels"]


def test_the_summary_has_the_worst_that_any_user_saw(tmp_path: Path) -> None:
    for user, verdict in (("ann", "B"), ("root", "X")):
        _recorded(tmp_path, user, "control", R1="X")
        _recorded(tmp_path, user, "L1", R1=verdict)
    merged = merge(_two(), tmp_path, ["L1"])
    assert merged["levels"]["L1"]["rows"] == {"R1": "X"}
    assert merged["users"]["ann"]["L1"]["rows"] == {"R1": "B"}


def test_what_a_stopped_run_has_measured_is_kept(tmp_path: Path) -> None:
    _recorded(tmp_path, "ann", "L1", R1="B")
    assert Record.load(tmp_path / "ann" / "L1.json").seen == {"R1": Seen("B")}


def test_one_level_has_one_run_at_a_time(tmp_path: Path) -> None:
    record = Record.load(tmp_path / "L1.json")
    with record.alone(), pytest.raises(BlockingIOError), record.alone():
        pass


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    from campaign import campaign
    from levels import LEVELS

    home = tmp_path_factory.mktemp("redteam") / "home"
    return {row.id: one for row, one in campaign(LEVELS["L1"], [ROWS[i] for i in QUICK], home)}


@LIVE
@pytest.mark.parametrize("row", QUICK)
def test_a_kernel_gets_nothing_at_l1(seen: dict[str, Seen], row: str) -> None:
    assert table.good_enough(seen[row].verdict, ROWS[row].goal("L1", root=ROOT)), seen[row]


def _nowhere() -> Path:
    return Path("/nonexistent/mark")
