"""After all tests, no secret that they made is in any file: log, notebook, core, database, audit.

The secrets are known by how they begin, so the search depends on no variable and no single test:
every token of the demo provider and of the stand-ins for real ones, and every capability of a
kernel. A file that holds each of them is put among the others first; when the search does not find
it, its silence says nothing, and the session fails as well.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from leaks import spellings

from jupyter_valet.demo.grants import TOKEN_PREFIX

CANARIES = {
    "a token of the demo provider": TOKEN_PREFIX + "c" * 43,
    "a token of a stand-in": "canary-" + "c" * 32,
    "a kernel's capability": "jvk_" + "c" * 43,
}
"""What is planted: of every kind one, which nobody can use."""

_SHAPES = {
    "a token of the demo provider": re.compile(re.escape(TOKEN_PREFIX).encode() + rb"[\w-]{43}"),
    "a token of a stand-in": re.compile(rb"canary-[\w-]{32}"),
    "a kernel's capability": re.compile(rb"jvk_[\w-]{43}"),
}
_DISGUISED = {spelled for spelled in spellings(TOKEN_PREFIX) if spelled != TOKEN_PREFIX.encode()}
"""The demo provider's tokens in base64 or hex, at any offset."""

_CONTROL = "canary-control"
_LARGEST = 256 * 1024 * 1024
_STATE = pytest.StashKey["_State"]()


@dataclass
class _State:
    planted: Path | None = None
    excused: set[Path] = field(default_factory=set)
    """Folders of tests that plant secrets on purpose."""
    wrong: list[str] = field(default_factory=list)


def pytest_configure(config: pytest.Config) -> None:
    """Begin."""
    config.stash[_STATE] = _State()


@pytest.fixture(autouse=True)
def _excused(request: pytest.FixtureRequest) -> None:
    """Leave out the folders of a test that plants secrets on purpose."""
    if request.node.get_closest_marker("plants_secrets") is None:
        return
    excused = request.config.stash[_STATE].excused
    excused.add(request.getfixturevalue("tmp_path"))
    if "pytester" in request.fixturenames:
        excused.add(request.getfixturevalue("pytester").path)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search; a leak, or a search that is blind, fails the session."""
    state = session.config.stash[_STATE]
    if not _is_controller(session.config):
        state.wrong += _searched(session.config, state)
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["canary"] = state.wrong
    if state.wrong and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take what a process of pytest-xdist found."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    config.stash[_STATE].wrong += getattr(node, "workeroutput", {}).get("canary", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which files, and never what is in them."""
    wrong = terminalreporter.config.stash[_STATE].wrong
    if wrong:
        terminalreporter.section("secrets in files", red=True)
        for line in wrong:
            terminalreporter.line(line)


def _is_controller(config: pytest.Config) -> bool:
    """Whether other processes run the tests: each has its own temporary folders."""
    return bool(getattr(config.option, "dist", "no") != "no") and not hasattr(config, "workerinput")


def _searched(config: pytest.Config, state: _State) -> list[str]:
    factory = getattr(config, "_tmp_path_factory", None)
    base = getattr(factory, "_basetemp", None)
    if base is None:  # no test asked for a folder
        return []
    state.planted = base / _CONTROL
    missed = set(plant(state.planted))
    wrong = []
    for path, what in search([base, config.rootpath], state.excused):
        if path.is_relative_to(state.planted):
            missed.discard(path)
        else:
            wrong.append(f"{path}: {what}")
    wrong += [f"the search is blind: {path.name} was not found" for path in sorted(missed)]
    _unplant(state.planted)
    return wrong


def plant(folder: Path) -> list[Path]:
    """Write every canary in the ways in which secrets get into files; return the files."""
    folder.mkdir()
    ways: dict[str, Callable[[str], bytes]] = {
        "server.log": lambda secret: f"[W] refused Bearer {secret}\n".encode(),
        "a.ipynb": lambda secret: f'{{"text": ["{secret}"]}}'.encode(),
        "url.txt": lambda secret: f"?token={quote(secret, safe='')}&x=1".encode(),
        "core.1": lambda secret: b"\0\xff" * 5000 + secret.encode() + b"\0",
    }
    made = []
    for number, secret in enumerate(CANARIES.values()):
        for name, way in ways.items():
            made.append(folder / f"{number}-{name}")
            made[-1].write_bytes(way(secret))
        made.append(folder / f"{number}-vault.db")
        _database(made[-1], secret)
    disguised = base64.b64encode(f"x{CANARIES['a token of the demo provider']}".encode())
    made.append(folder / "base64.txt")
    made[-1].write_bytes(disguised)
    return made


def _database(path: Path, secret: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table t (v text)")
        db.execute("insert into t values (?)", (secret,))
        db.commit()


def _unplant(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def search(folders: list[Path], excused: set[Path]) -> Iterator[tuple[Path, str]]:
    """Yield every file with a secret below the first folder, and every core in the others."""
    base, *others = folders
    cores = (path for folder in others for path in folder.glob("core*"))
    for path in (*base.rglob("*"), *cores):
        if any(path.is_relative_to(folder) for folder in excused):
            continue
        content = _content(path)
        for what, shape in _SHAPES.items():
            if shape.search(content):
                yield path, what
        if any(spelled in content for spelled in _DISGUISED):
            yield path, "a token of the demo provider, in another spelling"


def _content(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
            return b""
        return path.read_bytes()
    except OSError:  # a socket, or gone by now
        return b""
