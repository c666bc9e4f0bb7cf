"""A kernel's own folder: temporary files, caches, what it installs, its connection file.

Beneath one private folder of the server, which is hidden from every kernel but the part that is
its own. It ends with the kernel.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from .policy import Mode

_PREFIX = "jupyter-valet-"
_COVERS, _CLOSED_FOLDER, _CLOSED_FILE = "covers", "folder", "file"
_NOT_SHARED = ("history.sqlite", "db", "log", "pid", "security")
"""Of an IPython profile: what was typed elsewhere, and what IPython writes."""


class Workspaces:
    """The server's folder of workspaces."""

    def __init__(self, home: Path | None = None) -> None:
        _sweep(Path(tempfile.gettempdir()))
        made = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
        self.base = Path(os.path.realpath(made))
        _make_covers(self.base / _COVERS)
        atexit.register(self.close)
        self._home = home or Path.home()

    def make(self) -> Workspace:
        """Make a new kernel's workspace."""
        workspace = Workspace(self.base / secrets.token_hex(4))
        workspace.make(self._home)
        return workspace

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything."""
        atexit.unregister(self.close)
        _remove(self.base)


class Workspace:
    """One kernel's folder. It outlives restarts, so what was installed is still there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path / "tmp"
        self.overlay = path / "overlay"
        self.run = path / "run"
        """Sockets between the server and a kernel without a network."""
        self._cache = path / "cache"
        self._ipython = path / "ipython"

    def modes(self) -> dict[str, Mode]:
        """Return what kernels may do with this folder, and with those of others."""
        return {str(self.path.parent): Mode.HIDDEN, str(self.path): Mode.WRITE}

    def make(self, home: Path) -> None:
        """Create the folders; bring in what is slow to make anew."""
        for folder in (self.temporary, self.overlay, self.run, self._cache, self._ipython):
            folder.mkdir(mode=0o700, parents=True)
        self.path.chmod(0o700)
        _seed_matplotlib(home, self._cache / "matplotlib")
        _share_profile(Path(os.environ.get("IPYTHONDIR") or home / ".ipython"), self._ipython)

    def variables(self) -> dict[str, str]:
        """Return where programs in the kernel find what is theirs."""
        return {
            "TMPDIR": str(self.temporary),
            "IPYTHONDIR": str(self._ipython),
            "JUPYTER_RUNTIME_DIR": str(self._cache / "runtime"),
            "JUPYTER_VALET_OVERLAY": str(self.overlay),
            "PIP_PREFIX": str(self.overlay),
            "PIP_CACHE_DIR": str(self._cache / "pip"),
            "PIP_NO_WARN_SCRIPT_LOCATION": "1",
            "R_LIBS_USER": str(self.overlay / "R"),
            "MPLCONFIGDIR": str(self._cache / "matplotlib"),
            "NUMBA_CACHE_DIR": str(self._cache / "numba"),
            "SPARK_LOCAL_DIRS": str(self.temporary),
        }

    def connection_file(self, original: str) -> str:
        """Copy the kernel's connection file here, since those of all kernels are hidden (R33)."""
        copy = self.path / Path(original).name
        with contextlib.suppress(FileNotFoundError):
            copy.unlink()
        fd = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(Path(original).read_bytes())
        return str(copy)

    def cover(self, hidden: str, inside: Sequence[str] = ()) -> str:
        """Return what may lie over the hidden place: nobody can open it, nor list it.

        `inside` are places in it that are not hidden: there is a mount point for each.
        """
        covers = self.path.parent / _COVERS
        if not Path(hidden).is_dir():
            return str(covers / _CLOSED_FILE)
        if not inside:
            return str(covers / _CLOSED_FOLDER)
        cover = covers / hashlib.sha256("\0".join([hidden, *inside]).encode()).hexdigest()[:16]
        if not cover.exists():
            _make_points(cover, [(Path(path).relative_to(hidden), path) for path in inside])
        return str(cover)

    def remove(self) -> None:
        """Remove the folder and all that the kernel left in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def _make_points(cover: Path, places: Sequence[tuple[Path, str]]) -> None:
    for point, real in places:
        if Path(real).is_dir():
            (cover / point).mkdir(parents=True, exist_ok=True)
        else:
            (cover / point).parent.mkdir(parents=True, exist_ok=True)
            (cover / point).touch()
    cover.chmod(0o100)  # to go through, not to list


def _seed_matplotlib(home: Path, cache: Path) -> None:
    """Copy the list of fonts, which takes matplotlib seconds to make."""
    cache.mkdir(mode=0o700)
    for source in (home / ".cache" / "matplotlib").glob("fontlist-v*.json"):
        with contextlib.suppress(OSError):
            shutil.copyfile(source, cache / source.name)


def _share_profile(real: Path, own: Path) -> None:
    """Let the kernel read the person's IPython configuration, and write none of it (R31)."""
    profile = own / "profile_default"
    profile.mkdir(mode=0o700)
    with contextlib.suppress(OSError):
        for entry in (real / "profile_default").iterdir():
            if not entry.name.startswith(_NOT_SHARED):
                (profile / entry.name).symlink_to(entry)


def merged(*parts: Mapping[str, str]) -> dict[str, str]:
    """Return the parts as one environment; later ones win."""
    return {name: value for part in parts for name, value in part.items()}


def _sweep(folder: Path) -> None:
    """Remove what servers that were killed left behind."""
    for left in folder.glob(f"{_PREFIX}*-*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int(left.name.removeprefix(_PREFIX).partition("-")[0])
            if left.lstat().st_uid == os.getuid() and not Path(f"/proc/{owner}").exists():
                _remove(left)


def _remove(base: Path) -> None:
    with contextlib.suppress(OSError):
        for cover in (base / _COVERS).iterdir():
            cover.chmod(0o700)
    shutil.rmtree(base, ignore_errors=True)


def _make_covers(folder: Path) -> None:
    """Make what lies over hidden places: a folder and a file that nobody may open."""
    folder.mkdir(mode=0o700)
    (folder / _CLOSED_FOLDER).mkdir()
    (folder / _CLOSED_FOLDER).chmod(0)
    (folder / _CLOSED_FILE).touch(mode=0)
