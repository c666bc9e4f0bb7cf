"""The measurement: every row from inside a real kernel, and where nothing defends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..sandbox import visitor
from ..wire.errors import ValetError
from . import page, snippet
from .judge import Seen, Verdict, judge
from .patient import Patient
from .rows import Row
from .snippet import Got
from .talker import talker

_SECONDS = 45.0
_VICTIMS = ("straw", "own")
_TALKER = "talker"
"""A control: a kernel of the same machine whose traffic nobody encrypts, outside every wall."""


def measure(patient: Patient, rows: Sequence[Row]) -> Iterator[Seen]:
    """Yield what was seen of each row, as it is seen."""
    if not patient.target["victim"] and sys.platform == "linux":
        raise ValetError("doctor_failed", what="there is no broker to attack")
    for row in rows:
        if why := _not_here(row):
            yield Seen(row, Verdict.UNTRIED, why)
        elif row.page:
            yield _on_the_page(patient, row)
        else:
            seen = _in_the_kernel(patient, row)
            yield _with_control(patient, row, seen) if row.control else seen


def _not_here(row: Row) -> str:
    if sys.platform != "linux" and not (row.everywhere or row.page):
        return "the attack is written for Linux"
    if row.root and (sys.platform == "win32" or os.geteuid() != 0):
        return "only root can try"
    return ""


def _on_the_page(patient: Patient, row: Row) -> Seen:
    mark = Path(patient.target["mark"])
    try:
        got = Got(page.CHECKS[row.page](patient))
    except (OSError, ValueError, KeyError) as error:
        got = Got(f"{type(error).__name__}: {error}", ("Died",))
    seen = judge(row, got, patient.canaries, marked=mark.exists())
    mark.unlink(missing_ok=True)
    return seen


def _in_the_kernel(patient: Patient, row: Row) -> Seen:
    mark = Path(patient.target["mark"])
    with _surroundings(patient, row) as target:
        try:
            got = snippet.read(patient.kernel.run(snippet.program(row.run, target), _SECONDS))
        except OSError:
            got = Got("the kernel did not survive it", ("Died",))
            patient.new_kernel()
    seen = judge(row, got, patient.canaries, marked=mark.exists())
    mark.unlink(missing_ok=True)
    return seen


def _with_control(patient: Patient, row: Row, seen: Seen) -> Seen:
    """Try the same where nothing defends: a process of the person's, outside every kernel."""
    if seen.verdict is not Verdict.BLOCKED:
        return seen
    mark = Path(patient.target["mark"])
    with _surroundings(patient, row) as target:
        if row.control in _VICTIMS:
            straw = patient.canaries["straw"]
            victim = patient.straw.pid if row.control == "straw" else 0
            target = {**target, "victim": victim, "own_secret": straw}
        with _company(patient, row):
            got = _outside(patient, snippet.program(row.run, target))
    worked = judge(row, got, patient.canaries, marked=mark.exists()).verdict is Verdict.OPEN
    mark.unlink(missing_ok=True)
    return Seen(row, seen.verdict, seen.detail, proved=worked)


def _company(patient: Patient, row: Row) -> contextlib.AbstractContextManager[None]:
    if row.control == _TALKER:
        return talker(patient.canaries["iopub"])
    return contextlib.nullcontext()


def _outside(patient: Patient, code: str) -> Got:
    names = {"hub": "JUPYTERHUB_API_TOKEN", "database": "DATABASE_PASSWORD"}
    planted = {name: patient.canaries[key] for key, name in names.items()}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=patient.target["root"],
            env={**os.environ, **planted},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Got("it did not end", ("Died",))
    return snippet.read(done.stdout)


@contextlib.contextmanager
def _surroundings(patient: Patient, row: Row) -> Iterator[dict[str, Any]]:
    """Play the person's part: type into a terminal, come with a browser."""
    ready = Path(patient.target["ready"])
    ready.unlink(missing_ok=True)
    if row.run == "files:terminal":
        with _typing(patient.canaries["typed"], ready) as terminal:
            yield {**patient.target, "terminal": terminal}
    elif row.run == "listening:listen":
        with _browser(ready):
            yield patient.target
    else:
        yield patient.target


@contextlib.contextmanager
def _typing(secret: str, ready: Path) -> Iterator[str]:
    """Open a terminal into which `secret` is typed once somebody listens; yield its path."""
    ours, theirs = os.openpty()
    over = threading.Event()

    def type_it() -> None:
        while not over.is_set() and not ready.exists():
            time.sleep(0.05)
        if not over.is_set():
            os.write(ours, secret.encode() + b"\n")

    thread = threading.Thread(target=type_it, daemon=True)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        over.set()
        thread.join(5)
        os.close(theirs)
        os.close(ours)


@contextlib.contextmanager
def _browser(ready: Path) -> Iterator[None]:
    """Connect to the places that are written into `ready`, as a browser on this machine can."""
    over = threading.Event()

    def come() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, ValueError):
                visitor.come(ready.read_text())
            time.sleep(0.05)

    thread = threading.Thread(target=come, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)
