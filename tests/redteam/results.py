"""What was measured, kept row by row while it is measured, and put together at the end.

`build/redteam/USER/LEVEL.json` belongs to one run at a time; `build/redteam.json` is made of all of
them. A row whose positive control failed, or was not run, proves nothing and is "broken" there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from table import IN_THE_TEST, Row, Seen

WORST_FIRST = ("broken", "X", "U", "B")


@dataclass
class Record:
    """One user's results at one level."""

    path: Path
    claimed: str = ""
    """The level as the broker told the attacker's kernel, with its words."""
    why_not: str = ""
    """Why the level is not offered here."""
    seen: dict[str, Seen] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read what is there; nothing is an empty record."""
        if not path.exists():
            return cls(path)
        found = json.loads(path.read_text(encoding="utf-8"))
        seen = {id_: Seen(**one) for id_, one in found["rows"].items()}
        return cls(path, found["claimed"], found["why_not"], seen)

    def put(self, id_: str, seen: Seen) -> None:
        """Add a row, and keep it: a run that is stopped has lost nothing."""
        self.seen[id_] = seen
        self.save()

    def save(self) -> None:
        """Replace the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = {id_: asdict(one) for id_, one in sorted(self.seen.items())}
        text = {"claimed": self.claimed, "why_not": self.why_not, "rows": rows}
        aside = self.path.with_suffix(".tmp")
        aside.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
        aside.replace(self.path)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs off this user's level. Raises `BlockingIOError`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield


def merge(rows: Mapping[str, Row], folder: Path, levels: Iterable[str]) -> dict[str, Any]:
    """Return `build/redteam.json`: by level the worst verdict of all users, and each user's."""
    names = [*levels]
    users = {
        home.name: {name: Record.load(home / f"{name}.json") for name in ("control", *names)}
        for home in sorted(folder.iterdir())
        if home.is_dir()
    }
    by_user = {
        user: {
            name: _level(
                _provable(rows, user, users), _proved(rows, user, records, users), records[name]
            )
            for name in names
            if records[name].seen or records[name].why_not
        }
        for user, records in users.items()
    }
    return {
        "levels": {name: _worst(rows, name, by_user) for name in names if _ran(name, by_user)},
        "users": by_user,
    }


def _provable(rows: Mapping[str, Row], user: str, users: Mapping[str, Any]) -> Mapping[str, Row]:
    """Return the rows that can be said to be blocked: some have a control that only root has."""
    if user == "root" or "root" in users:
        return rows
    return {id_: row for id_, row in rows.items() if not row.root}


def _proved(
    rows: Mapping[str, Row], user: str, mine: Mapping[str, Record], users: Mapping[str, Any]
) -> set[str]:
    """Return the rows whose attack was seen to succeed where nothing defends."""
    return {
        row.id
        for row in rows.values()
        if row.control == IN_THE_TEST
        or row.open
        or any(_succeeded(row, one) for one in _controls(row, user, mine, users))
    }


def _controls(
    row: Row, user: str, mine: Mapping[str, Record], users: Mapping[str, Any]
) -> Iterator[Mapping[str, Record]]:
    yield mine
    if row.root and user != "root" and "root" in users:  # only root's control can succeed
        yield users["root"]


def _succeeded(row: Row, records: Mapping[str, Record]) -> bool:
    level = "control" if row.control == "local" else row.control
    found = records[level].seen.get(row.id) if level in records else None
    return found is not None and found.verdict in ("X", "U")


def _level(rows: Mapping[str, Row], proved: set[str], record: Record) -> dict[str, Any]:
    if record.why_not:
        return {"not_offered": record.why_not}
    verdicts = {id_: one.verdict for id_, one in record.seen.items() if id_ in rows}
    unproved = sorted(id_ for id_, v in verdicts.items() if v == "B" and id_ not in proved)
    verdicts |= dict.fromkeys(unproved, "broken")
    evidence = {id_: one.evidence for id_, one in record.seen.items()}
    return {**_figures(rows, verdicts), "claimed": record.claimed, "rows": verdicts,
            "unproved": unproved, "evidence": evidence}  # fmt: skip


def _figures(rows: Mapping[str, Row], verdicts: Mapping[str, str]) -> dict[str, Any]:
    """Return weights: of the reference's rows, of the heavy ones alone, and of our own."""
    ran = [rows[id_] for id_, verdict in verdicts.items() if verdict != "·"]
    parts = {
        "": [row for row in ran if not row.ours],
        "weight_3_": [row for row in ran if row.weight == 3 and not row.ours],
        "own_rows_": [row for row in ran if row.ours],
    }
    figures = {}
    for name, those in parts.items():
        blocked = (row.weight for row in those if verdicts[row.id] == "B")
        figures[f"{name}blocked_weight"] = sum(blocked)
        figures[f"{name}of"] = sum(row.weight for row in those)
    return figures


def _ran(name: str, by_user: Mapping[str, Any]) -> bool:
    return any("rows" in levels.get(name, {}) for levels in by_user.values())


def _worst(rows: Mapping[str, Row], name: str, by_user: Mapping[str, Any]) -> dict[str, Any]:
    found = [levels[name]["rows"] for levels in by_user.values() if "rows" in levels.get(name, {})]
    verdicts = {id_: worst(one[id_] for one in found if id_ in one) for id_ in rows
                if any(id_ in one for one in found)}  # fmt: skip
    return {**_figures(rows, verdicts), "rows": verdicts}


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst of several; what did not run says nothing."""
    ran = [verdict for verdict in verdicts if verdict != "·"]
    return min(ran, key=WORST_FIRST.index) if ran else "·"


def as_text(merged: Mapping[str, Any]) -> str:
    """Return the scores as the table of docs/threat-model.md."""
    names = dict.fromkeys(name for levels in merged["users"].values() for name in levels)
    users = [*merged["users"]]
    lines = ["| level | " + " | ".join(f"as {user}" for user in users) + " |",
             "|---|" + "---|" * len(users)]  # fmt: skip
    for name in names:
        cells = (_cell(merged["users"][user].get(name)) for user in users)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(level: Mapping[str, Any] | None) -> str:
    if level is None:
        return "not run"
    if "not_offered" in level:
        return f"no: {level['not_offered']}"
    heavy = f"{level['weight_3_blocked_weight']}/{level['weight_3_of']}"
    own = f"{level['own_rows_blocked_weight']}/{level['own_rows_of']}"
    return f"{level['blocked_weight']}/{level['of']} (weight 3: {heavy}; X rows: {own})"
