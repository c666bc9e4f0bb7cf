"""`jupyter valet doctor`, from start to end: it finds what is open, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_valet.sandbox.backends import Landlock, Unsuitable

FAST = "R01,R53,X01,R03,R08,R21,R32,R34,R47,R80,R74,R75,R90,R91,R66,R54"


def _walls() -> bool:
    with contextlib.suppress(Unsuitable):
        Landlock().check()
        return True
    return False


def doctor(home: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the doctor as the person whose home folder this is."""
    for name in ("data", "config"):
        (home / name).mkdir(exist_ok=True)
    (home / ".bashrc").write_text("# theirs\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY_", "DBUS"))}
    environ = {
        **kept,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_valet.cli", "doctor", "--json", *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.stdout, done.stderr[-2000:]
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def person(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def test_a_plain_server_is_open_and_claims_no_more(person: Path) -> None:
    """L0: nothing is worse than claimed, because little is claimed."""
    more = ("--stock", "--key-source", "file", "--rows", FAST, "--", "--ValetExtension.sandbox=off")
    status, report = doctor(person, *more)
    assert (status, report["level"], report["good"]) == (0, "L0", True)
    verdicts = {id_: row["verdict"] for id_, row in report["rows"].items()}
    wanted = (
        *("R01", "X01", "R08", "R21", "R32", "R34", "R47", "R80", "R74", "R75", "R90", "R91"),
        *(("R66",) if shutil.which("node") else ()),
        "R54",
    )
    assert {id_: verdicts[id_] for id_ in wanted} == dict.fromkeys(wanted, "open")
    assert verdicts["R53"] == "blocked"
    assert report["rows"]["R53"]["proved"] is True


@pytest.mark.skipif(not _walls(), reason="Landlock is not here")
def test_jupyter_valet_lab_holds_what_it_claims_here(person: Path) -> None:
    """L2+ on this machine, as whoever runs this."""
    status, report = doctor(person, "--rows", FAST)
    assert (status, report["level"]) == (0, "L2+"), report
    assert {row["verdict"] for row in report["rows"].values()} == {"blocked"}
    proved = {id_ for id_, row in report["rows"].items() if row["proved"]}
    assert proved >= {"R01", "R53", "X01", "R03", "R08", "R21", "R32", "R34", "R47", "R80"}


def test_nothing_is_left_of_it(person: Path) -> None:
    """Neither in the person's folders nor in the temporary one's; their files are as they were."""
    doctor(person, "--rows", "R01,R32", "--stock", "--key-source", "file")
    assert (person / ".bashrc").read_text() == "# theirs\n"
    left = [path for path in person.rglob("*") if "doctor" in path.name]
    assert left == []


def test_a_passphrase_opens_the_throw_away_vault(person: Path) -> None:
    """L1, or L0 as root: the broker is unlocked, and no key lies open."""
    more = ("--stock", "--key-source", "passphrase", "--rows", "R01", "--",
            "--ValetExtension.sandbox=off")  # fmt: skip
    status, report = doctor(person, *more)
    assert status == 0, report
    assert report["rows"]["R01"]["verdict"] == "blocked"
    assert "passphrase" in report["key_source"]


def test_a_server_that_does_not_start_is_said_in_one_line(person: Path) -> None:
    (person / "config").mkdir()
    (person / "config" / "jupyter_server_config.py").write_text("raise SystemExit('broken')")
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_valet.cli", "doctor", "--state-dir", str(person / "s")],
        env={**os.environ, "HOME": str(person), "JUPYTER_CONFIG_DIR": str(person / "config")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
