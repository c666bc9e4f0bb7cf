"""`make redteam`: attack our own server at each level, as root and as an ordinary user.

Prints the table, what was expected and what was seen, with the score, and writes
`build/redteam.json`. The exit status tells whether a row was worse than expected or a positive
control failed. A run that was stopped goes on with `--resume`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
BUILD = REPOSITORY / "build"
SUMMARY = BUILD / "redteam.json"
for _folder in ("integration", "browser", "providers", "redteam"):
    sys.path.insert(0, str(HERE.parent / _folder))

import apart  # noqa: E402
import by_tests  # noqa: E402
import table  # noqa: E402
from levels import LEVELS, Level  # noqa: E402
from other_user import run_as  # noqa: E402
from results import Record, as_text, merge  # noqa: E402
from table import Row, Seen  # noqa: E402


def main() -> int:
    """Run what was asked for, as whoever was asked for; root does both by default."""
    options = _options()
    if options.show:
        return _show()
    users = options.user.split(",") if options.user else [*(["nobody"] if _root() else []), _me()]
    for user in users:
        if user == _me():
            print(f"\n== as {user}", flush=True)
            _attack(options)
        else:
            with _apart_from(user, options.level) as more:
                run_as(user, _home(user), more)
    if not os.access(BUILD, os.W_OK):  # the run as another user: who started it goes on
        return 0
    merged = merge(table.load(), BUILD / "redteam", [n for n in LEVELS if n != "control"])
    SUMMARY.write_text(json.dumps(merged, indent=1) + "\n")
    return _show()


def _show() -> int:
    """Print the scores and what is wrong; return the exit status."""
    merged = json.loads(SUMMARY.read_text())
    wrong = [*_wrong(table.load(), merged)]
    print("\n" + "\n".join(f"WRONG {line}" for line in wrong))
    print(as_text(merged))
    return int(bool(wrong))


def _wrong(rows: Mapping[str, Row], merged: Mapping[str, Any]) -> Iterator[str]:
    for user, levels in merged["users"].items():
        for name, level in levels.items():
            for id_, verdict in level.get("rows", {}).items():
                goal = rows[id_].goal(LEVELS[name].column, root=user == "root")
                if id_ in level["unproved"]:
                    yield f"{user} {name} {id_}: blocked, but its positive control did not succeed"
                elif verdict != "·" and not table.good_enough(verdict, goal):
                    said = level["evidence"].get(id_, "")
                    yield f"{user} {name} {id_}: expected {goal}, seen {verdict}: {said}"


@contextlib.contextmanager
def _apart_from(user: str, levels: Iterable[str]) -> Iterator[Mapping[str, str]]:
    if not any(LEVELS[name].apart for name in levels):
        yield {}
        return
    with apart.kept_for(user, BUILD / "redteam-broker" / user) as more:
        yield more


def _attack(options: Any) -> None:
    rows, home = _chosen(options.rows), _home(_me())
    records = {name: Record.load(home / f"{name}.json") for name in options.level}
    for record in records.values():
        for id_ in rows:
            if not options.resume or record.seen.get(id_, _BROKEN).verdict == "broken":
                record.seen.pop(id_, None)
    tests = _Tests(rows, records)
    for name, record in records.items():
        missing = {id_: row for id_, row in rows.items() if id_ not in record.seen}
        if missing:
            _level(LEVELS[name], missing, record, tests)


_BROKEN = Seen("broken")


class _Tests:
    """What the rows of the project's own tests give, the same at every level: run once."""

    def __init__(self, rows: Mapping[str, Row], records: Mapping[str, Record]) -> None:
        missing = (id_ for record in records.values() for id_ in rows.keys() - record.seen.keys())
        self._rows = [rows[id_] for id_ in dict.fromkeys(missing)]
        self._found: dict[str, str] | None = None

    def of(self, level: Level, rows: Mapping[str, Row]) -> Iterator[tuple[Row, Seen]]:
        """Yield the verdicts that `level` lacks."""
        if self._found is None:
            self._found = by_tests.outcomes(self._rows)
        judge = by_tests.controls if level.straw else by_tests.verdicts
        yield from judge(rows.values(), self._found)


def _level(level: Level, rows: Mapping[str, Row], record: Record, tests: _Tests) -> None:
    """Run one level; one that cannot be offered says so and has no rows."""
    with record.alone():
        record.why_not = level.unavailable()
        if record.why_not:
            print(f"\n{level.name}: not offered here: {record.why_not}", flush=True)
            record.seen.clear()
            record.save()
            return
        print(f"\n{level.name}: {level.words}", flush=True)
        for row, seen in _seen(level, rows, record, tests):
            record.put(row.id, seen)
            if level.straw:
                _line(row, "X", seen, good=seen.verdict != "B" or (row.root and not _root()))
            else:
                goal = row.goal(level.column, root=_root())
                _line(row, goal, seen, good=table.good_enough(seen.verdict, goal))


def _seen(
    level: Level, rows: Mapping[str, Row], record: Record, tests: _Tests
) -> Iterator[tuple[Row, Seen]]:
    from campaign import campaign, local_control

    yield from ((row, Seen("·", row.skip)) for row in rows.values() if row.skip)
    if level.straw:
        for row in rows.values():
            if row.control == "local":
                yield row, local_control(row, record.path.parent / "local")
    yield from tests.of(level, rows)
    done: set[str] = set()
    try:
        for row, seen in campaign(level, rows.values(), record.path.parent / level.name, record):
            done.add(row.id)
            yield row, seen
    except Exception as error:  # the level's other rows, and other levels, still count
        for row in rows.values():
            if (row.run or row.script) and row.id not in done and not row.skip:
                yield row, Seen("broken", f"the level does not run: {error}"[:300])


def _line(row: Row, goal: str, seen: Seen, *, good: bool) -> None:
    flag = " " if (good or not seen.ran) and seen.verdict != "broken" else "!"
    print(
        f"{flag} {row.id} w{row.weight} {goal}>{seen.verdict:<2} "
        f"{row.attack[:52]:<52} {seen.evidence[:110]}",
        flush=True,
    )


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
    parser.add_argument("--resume", action="store_true", help="leave out what was measured already")
    parser.add_argument("--show", action="store_true", help="print the scores of the last run")
    return parser.parse_args()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and browsers end with us
    raise SystemExit(main())
