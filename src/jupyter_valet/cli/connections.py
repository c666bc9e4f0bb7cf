"""`jupyter valet connections`: which accounts are signed in, for whom, and since when."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import Any

from .opening import add_options, vault
from .table import table


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "connections", help="list the accounts that are signed in", description=__doc__
    )
    add_options(command)
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what the vault knows of each connection; nothing secret is opened for it."""
    with vault(arguments) as opened:
        records = opened.list("connection")
    rows = [{"id": record.id, **record.meta} for record in records]
    if arguments.json:
        for row in rows:
            print(json.dumps(row))
    elif rows:
        print(table(("provider", "account", "scopes", "last used"), map(_row, rows)))
    else:
        print("Nobody is signed in. Run %connect in a notebook.")
    return 0


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    used = row["last_used_at"]
    when = f"{datetime.fromtimestamp(used):%Y-%m-%d %H:%M}" if used else "never"
    return row["provider"], row["account"], " ".join(row["scopes"]), when
