"""One level, all rows that run against a live server, in order; the home is tidied in between."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import aftermath
import channel
import server_code
from desktop import typing
from issuer import canary
from judge import judge
from levels import Level
from results import Record
from table import Row, Seen
from victim import World, payload_for, world

_TIDIED = (
    "config", "site", "ipython", "data/kernels", "data/nbconvert", "data/labextensions", "work",
    ".config", ".local", ".bashrc", ".evil.py",
)  # fmt: skip


def campaign(
    level: Level, rows: Iterable[Row], home: Path, record: Record | None = None
) -> Iterator[tuple[Row, Seen]]:
    """Run every row that has an attack in a kernel or a page; yield what was seen as it is seen.

    What the broker claims for the kernel that attacks goes into `record`.
    """
    mine = [row for row in rows if (row.run or row.script) and not row.skip]
    if level.straw:
        mine = [row for row in mine if row.control == "control"]
    if not mine:
        return
    scripts = [row for row in mine if row.script]
    attacks = sorted((row for row in mine if row.run), key=lambda row: row.last)
    with world(level, home) as here:
        if record is not None:
            record.claimed = here.claimed()
        yield from _in_kernels(here, [row for row in attacks if not row.last])
        if scripts:
            yield from _in_browser(here, scripts)
        yield from _in_kernels(here, [row for row in attacks if row.last])


def _in_kernels(here: World, rows: Iterable[Row]) -> Iterator[tuple[Row, Seen]]:
    for row in rows:
        with _tidy(here.home):
            yield row, attack(here, row)
        _revive(here)


def _in_browser(here: World, rows: Iterable[Row]) -> Iterator[tuple[Row, Seen]]:
    import jlab

    import browser

    with jlab.chromium() as chromium, browser.tab(here, chromium) as tab:
        for row in rows:
            mark = here.home / "marks" / row.id
            with _tidy(here.home):
                got = browser.attack(tab, row.script, mark)
            yield row, judge(row, got, "", mark, here.planted, [*here.issuer.issued])
            mark.unlink(missing_ok=True)


def attack(here: World, row: Row) -> Seen:
    """Attack once."""
    mark = here.home / "marks" / row.id
    target = here.target(mark)
    if not target["victim"] or not target["sibling"]:
        return Seen("broken", "there is no broker, or no other kernel, to attack")
    after = ""
    with _typed(here, row) as terminal:
        got = here.attacker.attack(row.run, {**target, **terminal})
    if row.after and (got.text == "AFTER" or row.last == 5):
        after = _after(row.after)(here, mark)
    seen = judge(row, got, after, mark, here.planted, [*here.issuer.issued])
    mark.unlink(missing_ok=True)
    return seen


def _after(name: str) -> Callable[[World, Path], str]:
    return getattr(aftermath, name, None) or getattr(server_code, name)


@contextlib.contextmanager
def _typed(here: World, row: Row) -> Iterator[dict[str, str]]:
    if row.run != "files:terminal":
        yield {}
        return
    with typing(here.planted["typed"], here.root / "ready") as terminal:
        yield {"terminal": terminal}


def _revive(here: World) -> None:
    """Give the attacker a new kernel when an attack cost the old one."""
    if here.server.process.poll() is not None:
        return
    with contextlib.suppress(Exception):
        if "alive" in here.attacker.run("print('alive')", 10):
            return
    here.attacker = channel.start(here.server, "notes/again.ipynb")


@contextlib.contextmanager
def _tidy(home: Path) -> Iterator[None]:
    """Put back what was planted, so that no attack profits from another."""
    with tempfile.TemporaryDirectory(dir=home.parent) as kept:
        for name in _TIDIED:
            _copy(home / name, Path(kept) / name)
        try:
            yield
        finally:
            for name in _TIDIED:
                _mirror(Path(kept) / name, home / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    elif source.exists():
        shutil.copy2(source, target)


def _mirror(kept: Path, place: Path) -> None:
    """Make `place` what it was, touching only what differs: its folders are somebody's cwd."""
    if not kept.exists():
        shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(True)
        return
    if not kept.is_dir():
        shutil.copy2(kept, place)
        return
    place.mkdir(exist_ok=True)
    for extra in {p.name for p in place.iterdir()} - {p.name for p in kept.iterdir()}:
        _mirror(kept / extra, place / extra)
    for one in kept.iterdir():
        if one.is_dir() or not _same(one, place / one.name):
            _mirror(one, place / one.name)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def local_control(row: Row, home: Path) -> Seen:
    """Run the attack in a plain process that was given what the defence withholds."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    secret = canary()
    (home / "secret").write_text(secret)
    mark = home / "mark"
    target = {
        **{"victim": 0, "port": 0, "broker_port": 0, "own_secret": secret},
        **{"state": str(home / "state"), "mark": str(mark), "payload": payload_for(mark, home)},
    }
    code = _ADD_KEY.format(secret=secret) + channel.program(row.run, target)
    with (home / "secret").open() as inherited:
        done = subprocess.run(
            [sys.executable, "-c", code],
            pass_fds=[inherited.fileno()],
            capture_output=True,
            text=True,
            timeout=60,
        )
    return judge(row, channel.read(done.stdout), "", mark, {"straw": secret}, [])


_ADD_KEY = """
import ctypes as _c
_libc = _c.CDLL(None)
_libc.syscall(250, 1, 0)  # KEYCTL_JOIN_SESSION_KEYRING: one of its own, gone with it
_libc.syscall(248, b"user", b"redteam", {secret!r}.encode(), {secret!r}.__len__(), -3)
"""
