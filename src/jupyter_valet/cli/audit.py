"""`jupyter valet audit`: what was connected, used, refused and revoked, from the audit log."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from .opening import AUDIT_FILE, add_options, existing_state_dir, vault
from .table import printable

_POLL_SECONDS = 0.5


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser("audit", help="read the audit log", description=__doc__)
    add_options(command)
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.add_argument("--follow", action="store_true", help="go on as events come")
    command.add_argument(
        "--verify", action="store_true", help="check that no line was changed or taken out"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the events, oldest first."""
    path = existing_state_dir(arguments) / AUDIT_FILE
    if arguments.verify:
        return _verify(arguments, path)
    for event in _events(path, follow=arguments.follow):
        print(json.dumps(event) if arguments.json else _line(event), flush=True)
    return 0


def _verify(arguments: argparse.Namespace, path: Path) -> int:
    from ..broker.audit import verify_audit

    with vault(arguments) as opened:
        verify_audit(path, opened.key("audit"))
    print("Every line of the audit log is as it was written.")
    return 0


def _events(path: Path, *, follow: bool) -> Iterator[dict[str, Any]]:
    """Yield what is in the log, and with `follow` what comes into it."""
    from ..broker.audit import read_audit

    seen = 0
    while True:
        for number, event in enumerate(read_audit(path) if path.exists() else ()):
            if number >= seen:
                seen = number + 1
                yield event
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _line(event: dict[str, Any]) -> str:
    when = f"{datetime.fromtimestamp(event['time']):%Y-%m-%d %H:%M:%S}"
    names = ("action", "outcome", "provider", "account", "tool", "notebook")
    facts = (printable(str(event[name])) for name in names if event.get(name))
    return "  ".join((when, *facts))
