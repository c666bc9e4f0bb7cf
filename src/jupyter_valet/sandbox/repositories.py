"""The files by which a git repository runs programs: what a kernel must not change (R67).

A repository's configuration names programs (`core.fsmonitor`, `core.sshCommand`, filters) and its
hooks are programs; the person's own git runs them at the next `git status`. gitrepository-layout(5)
says where they lie; `commondir`, `gitdir` and a `.git` file lead to other places.
"""
# ruff: noqa: PTH110, PTH111, PTH114, PTH118, PTH120, PTH123

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections import deque
from collections.abc import Iterator

MOST_FOLDERS = 1000
"""So many folders are looked into, the nearest first: a kernel's start waits for it."""

_FILES = ("config", "config.worktree", "hooks", "info/attributes", "commondir", "gitdir")
_PASSED_OVER = frozenset({"node_modules", "site-packages", "__pycache__", ".venv", "venv", ".tox"})
_LEADS_TO = re.compile(
    r"^[ \t]*(?:hookspath|path)[ \t]*=[ \t]*\"?([^\"\n#;]+)", re.IGNORECASE | re.MULTILINE
)
_LARGEST = 1 << 20


def guarded(project: str) -> list[str]:
    """Return the paths in and below `project` that are there and that git takes programs from."""
    found: dict[str, None] = {}
    for folder, git in _with_git(project):
        if git.is_dir(follow_symlinks=False):
            found.update(dict.fromkeys(_of_repository(git.path, folder)))
        elif git.is_file(follow_symlinks=False):
            found[git.path] = None
            found.update(dict.fromkeys(_of_linked(git.path)))
    return [path for path in found if os.path.exists(path) and not os.path.islink(path)]


def _with_git(project: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the folders that have a `.git`, and that, breadth first."""
    waiting, seen = deque([project]), 0
    while waiting and seen < MOST_FOLDERS:
        folder = waiting.popleft()
        seen += 1
        inside: list[str] = []
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == ".git":
                    yield folder, entry
                elif entry.name not in _PASSED_OVER and _is_entered(entry):
                    inside.append(entry.path)
        waiting += sorted(inside)


def _is_entered(entry: os.DirEntry[str]) -> bool:
    """Tell whether this is a folder that a kernel may enter.

    Root's kernels have no capabilities: what belongs to others and is closed is closed to them, and
    nothing can be mounted there.
    """
    if not entry.is_dir(follow_symlinks=False):
        return False
    if os.geteuid() != 0:
        return True
    status = entry.stat(follow_symlinks=False)
    return bool(status.st_mode & (stat.S_IXUSR if status.st_uid == 0 else stat.S_IXOTH))


def _of_repository(git: str, folder: str) -> Iterator[str]:
    for name in _FILES:
        yield os.path.join(git, name)
    yield from _led_to(os.path.join(git, "config"), folder)
    for kind in ("worktrees", "modules"):
        for inner in _repositories_in(os.path.join(git, kind)):
            yield from _of_repository(inner, folder)


def _repositories_in(folder: str, depth: int = 4) -> Iterator[str]:
    """Yield the repositories of worktrees and submodules; a submodule's name may have slashes."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                continue
            if os.path.exists(os.path.join(entry.path, "HEAD")):
                yield entry.path
            elif depth:
                yield from _repositories_in(entry.path, depth - 1)


def _of_linked(file: str) -> Iterator[str]:
    """Yield those of the repository that a `.git` file names, and of the one that it belongs to."""
    folder = os.path.dirname(file)
    git = _path_in(file, "gitdir:", folder)
    if git:
        yield from _of_repository(git, folder)
        common = _path_in(os.path.join(git, "commondir"), "", git)
        if common:
            yield from _of_repository(common, os.path.dirname(common))


def _path_in(file: str, before: str, folder: str) -> str:
    text = _read(file).strip()
    if not text.startswith(before):
        return ""
    path = text.removeprefix(before).strip()
    return os.path.realpath(os.path.join(folder, path)) if path else ""


def _led_to(config: str, folder: str) -> Iterator[str]:
    """Yield the folders of hooks and the further files that a configuration names."""
    for value in _LEADS_TO.findall(_read(config)):
        path = os.path.expanduser(value.strip())
        for base in (folder, os.path.dirname(config)):
            named = os.path.realpath(os.path.join(base, path))
            if not config.startswith(named.rstrip("/") + "/"):  # not all of the repository
                yield named


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            return text.read(_LARGEST)
    except (OSError, ValueError):
        return ""
