"""`make redteam`: attack our own server at each level, as root and as an ordinary user.

Prints the table, what was expected and what was seen, with the score, and writes
`build/redteam.json`. The exit status tells whether a row was worse than expected or a positive
control failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pwd
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
BUILD = REPOSITORY / "build"
RESULT = "result.json"
for _folder in ("integration", "browser", "providers", "redteam"):
    sys.path.insert(0, str(HERE.parent / _folder))

import by_tests  # noqa: E402
import table  # noqa: E402
from levels import LEVELS, Level  # noqa: E402
from other_user import run_as  # noqa: E402
from table import Row, Seen  # noqa: E402

Results = dict[str, dict[str, Seen]]
"""By level, then by row."""


def main() -> int:
    """Run what was asked for, as whoever was asked for; root does both by default."""
    options = _options()
    users = options.user.split(",") if options.user else [_me(), *(["nobody"] if _root() else [])]
    failed = False
    for user in users:
        print(f"\n== as {user}", flush=True)
        failed |= bool(_mine(options) if user == _me() else run_as(user, _home(user)))
    if os.access(BUILD, os.W_OK):
        merge([user for user in users if (_home(user) / RESULT).exists()])
    return int(failed)


def _mine(options: Any) -> bool:
    rows = _chosen(options.rows)
    results = attack(rows, [LEVELS[name] for name in options.level], _home(_me()))
    _write(_me(), rows, results)
    return bool(report(rows, results))


def merge(users: list[str]) -> None:
    """Write `build/redteam.json`: by user, and over all users each row's worst verdict."""
    by_user = {user: json.loads((_home(user) / RESULT).read_text())["levels"] for user in users}
    weights = {row.id: row.weight for row in table.load().values()}
    levels = {}
    for name in LEVELS:
        seen = [one[name]["rows"] for one in by_user.values() if name in one]
        rows = {id_: worst(found[id_] for found in seen if id_ in found) for id_ in weights
                if any(id_ in found for found in seen)}  # fmt: skip
        ran = [id_ for id_, verdict in rows.items() if verdict != "·"]
        levels[name] = {
            "blocked_weight": sum(weights[id_] for id_ in ran if rows[id_] == "B"),
            "of": sum(weights[id_] for id_ in ran),
            "rows": rows,
        }
    shown = {name: level for name, level in levels.items() if level["rows"]}
    everything = {"levels": shown, "users": by_user}
    (BUILD / "redteam.json").write_text(json.dumps(everything, indent=1) + "\n")


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst of several; what did not run says nothing."""
    ran = [verdict for verdict in verdicts if verdict != "·"]
    return min(ran, key=["broken", "X", "U", "B"].index) if ran else "·"


def attack(rows: dict[str, Row], levels: Iterable[Level], home: Path) -> Results:
    """Run all levels; a level that cannot be offered says so and has no rows."""
    from campaign import campaign, local_control

    results: Results = {}
    for row in rows.values():
        if row.skip:
            print(f"- {row.id} w{row.weight} cannot run: {row.skip}")
    # What these rows attack is the same at every level: once is enough.
    tests = list(by_tests.verdicts(rows.values()))
    for level in levels:
        if why := level.unavailable():
            print(f"\n{level.name}: not offered here: {why}", flush=True)
            continue
        print(f"\n{level.name}: {level.words}", flush=True)
        seen = results[level.name] = {
            row.id: Seen("·", row.skip) for row in rows.values() if row.skip
        }
        if level.straw:
            for row in rows.values():
                if row.control == "local":
                    seen[row.id] = local_control(row, home / "local")
                    _line(row, "X", seen[row.id])
        tested = by_tests.controls(rows.values()) if level.straw else tests
        for row, verdict in itertools.chain(
            tested, campaign(level, rows.values(), home / level.name)
        ):
            seen[row.id] = verdict
            goal = "X" if level.straw else row.goal(level.column, root=_root())
            _line(row, goal, verdict)
    return results


def report(rows: dict[str, Row], results: Results) -> list[str]:
    """Print the scores and return what is wrong."""
    wrong = [*_failed_controls(rows, results)]
    for name, seen in results.items():
        if name == "control":
            continue
        column = LEVELS[name].column
        for id_, verdict in seen.items():
            goal = rows[id_].goal(column, root=_root())
            if verdict.verdict == "broken" or (
                verdict.ran and not table.good_enough(verdict.verdict, goal)
            ):
                wrong.append(
                    f"{name} {id_}: expected {goal}, seen {verdict.verdict}: {verdict.evidence}"
                )
        met, of = table.score(rows.values(), seen, column, root=_root())
        weight = table.blocked(rows.values(), seen)
        print(f"\n{name}: as good as expected {met} of {of}; blocked {weight} of {of}")
    for line in wrong:
        print(f"WRONG {line}")
    return wrong


def _failed_controls(rows: dict[str, Row], results: Results) -> Iterable[str]:
    """Yield the rows whose attack has not succeeded where nothing defends."""
    for row in rows.values():
        level = "control" if row.control == "local" else row.control
        if level == by_tests.IN_THE_TEST:
            continue
        if (
            not (row.run or row.undo or row.script)
            or row.skip
            or level not in results
            or (row.root and not _root())
        ):
            continue
        seen = results[level].get(row.id)
        if seen is None or seen.verdict not in ("X", "U"):
            said = f"{seen.verdict}: {seen.evidence}" if seen else "it did not run"
            yield f"{row.id}: its positive control failed at {level}: {said}"


def _line(row: Row, goal: str, seen: Seen) -> None:
    good = not seen.ran or table.good_enough(seen.verdict, goal)
    flag = " " if good and seen.verdict != "broken" else "!"
    print(
        f"{flag} {row.id} w{row.weight} {goal}>{seen.verdict:<2} "
        f"{row.attack[:52]:<52} {seen.evidence[:110]}",
        flush=True,
    )


def _write(user: str, rows: dict[str, Row], results: Results) -> None:
    folder = _home(user)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RESULT
    levels = json.loads(path.read_text())["levels"] if path.exists() else {}
    for name, seen in results.items():
        met, of = table.score(
            rows.values(), seen, LEVELS[name].column if name != "control" else "L0", root=_root()
        )
        levels[name] = {
            "blocked_weight": table.blocked(rows.values(), seen),
            "as_expected": met,
            "of": of,
            "rows": {id_: one.verdict for id_, one in sorted(seen.items())},
            "evidence": {id_: one.evidence for id_, one in sorted(seen.items())},
        }
    path.write_text(json.dumps({"levels": levels}, indent=1) + "\n")


def _home(user: str) -> Path:
    return BUILD / "redteam" / user


def _me() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _root() -> bool:
    return os.geteuid() == 0


def _chosen(wanted: str) -> dict[str, Row]:
    rows = table.load()
    if not wanted:
        return rows
    names = set(wanted.split(","))
    return {id_: row for id_, row in rows.items() if id_ in names or row.area in names}


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("level", nargs="*", default=list(LEVELS), help=", ".join(LEVELS))
    parser.add_argument("--rows", default="", help="ids or areas, with commas")
    parser.add_argument(
        "--user", default="", help="as whom, with commas; others than oneself need root"
    )
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
