"""`jupyter valet doctor`: attacks a throw-away server from its kernels, and says what it got."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from ..wire.errors import ValetError
from .configuration import configured
from .opening import KEY_SOURCES, state_dir

if TYPE_CHECKING:
    from ..doctor.report import Report


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "doctor",
        help="measure what code in a kernel gets here",
        description=__doc__,
        epilog="The exit status is 1 when something is worse than the level claims.",
    )
    command.add_argument("--json", action="store_true", help="print JSON, as in docs/doctor.md")
    command.add_argument(
        "--stock",
        action="store_true",
        help="measure a server as `jupyter lab` starts it, instead of `jupyter valet lab`",
    )
    command.add_argument("--rows", default="", metavar="R01,R02", help="try these rows only")
    command.add_argument("--state-dir", default=None, help=argparse.SUPPRESS)
    command.add_argument(
        "--key-source",
        choices=KEY_SOURCES,
        help="where the throw-away vault keeps its key (default: as the configuration files say)",
    )
    command.add_argument("jupyter", nargs="*", help="arguments for Jupyter, after --")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, and return the exit status."""
    report = _measured(arguments)
    print(json.dumps(report.to_json(), indent=2) if arguments.json else report.text())
    return 0 if report.good else 1


def _measured(arguments: argparse.Namespace) -> Report:
    from ..doctor import rows
    from ..doctor.measure import measure
    from ..doctor.patient import SetUp, admitted
    from ..doctor.report import Report

    wanted = SetUp(
        state_dir=state_dir(arguments),
        key_source=str(arguments.key_source or configured("key_source") or "auto"),
        locked_down=not arguments.stock,
        more=arguments.jupyter,
    )
    chosen = [
        row for row in rows.load() if not arguments.rows or row.id in arguments.rows.split(",")
    ]
    with admitted(wanted) as patient:
        if "level" not in patient.status:
            raise ValetError("doctor_failed", what=f"no broker answers ({patient.status})")
        seen = []
        for one in measure(patient, chosen):
            seen.append(one)
            if not arguments.json and sys.stderr.isatty():
                print(f"\r{len(seen)} of {len(chosen)}", end="", file=sys.stderr, flush=True)
        status = patient.status
    if not arguments.json and sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    how = "jupyter lab" if arguments.stock else "jupyter valet lab"
    return Report(
        f"a server as `{how}` starts it",
        str(status["level"]),
        str(status["level_words"]),
        str(status["key_source"]),
        seen,
    )
