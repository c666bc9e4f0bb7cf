"""Files that only their owner may touch: made so whatever the umask, and checked at every open.

Guards R170-R172 (planted symlinks, predictable temporary names, modes from the umask) and hard
links (R173). On Windows, where modes say nothing, only the checks on symlinks remain: the folder
inherits the access list of the user's profile.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from .errors import VaultDamaged, VaultUnwritable

FOLDER_MODE = 0o700
FILE_MODE = 0o600

_POSIX = os.name == "posix"
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_EXTRA = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_FOREIGN_BITS = 0o077


def private_folder(path: Path) -> Path:
    """Return `path` as an absolute folder that is ours alone; it is made when missing.

    An empty folder that is too open is closed; one with contents is refused, since nobody knows
    who has read or replaced them. Raises `VaultDamaged`.
    """
    folder = path.parent.resolve() / path.name
    with contextlib.suppress(FileExistsError), _writing():
        folder.mkdir(mode=FOLDER_MODE, parents=True)
        folder.chmod(FOLDER_MODE)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise VaultDamaged(f"{folder.name} is not a folder")
    _check_owner(folder.name, found)
    if _POSIX and found.st_mode & _FOREIGN_BITS:
        if any(folder.iterdir()):
            raise VaultDamaged(f"other users can open the folder {folder.name}")
        folder.chmod(FOLDER_MODE)
    return folder


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a private file after checking it, or None when there is none.

    Raises `VaultDamaged` when it is a symlink, has a second name, or is open to other users.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    _check_file(path.name, found)
    return found.st_dev, found.st_ino


def read_private(path: Path, limit: int = 65536) -> bytes | None:
    """Return the contents of a private file, or None when there is none.

    Raises `VaultDamaged` as `identity` does; the checks are made on the opened file itself.
    """
    try:
        fd = os.open(path, os.O_RDONLY | _NOFOLLOW | _EXTRA)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultDamaged(f"{path.name} cannot be opened: {_reason(path, error)}") from None
    with os.fdopen(fd, "rb") as file:
        _check_file(path.name, os.fstat(fd))
        return file.read(limit)


def create_private(path: Path, data: bytes = b"") -> None:
    """Make a new private file with `data`, durable when this returns.

    Raises `FileExistsError` when anything is there already, a dangling symlink included.
    """
    with _writing():
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _EXTRA, FILE_MODE)
        with os.fdopen(fd, "wb") as file:
            if _POSIX:
                os.fchmod(fd, FILE_MODE)
            file.write(data)
            file.flush()
            os.fsync(fd)


def replace_private(path: Path, data: bytes) -> None:
    """Put `data` in the place of a private file: old or new is there at any moment, and durable."""
    identity(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        create_private(temporary, data)
        with _writing():
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def open_private(path: Path, flags: int) -> int:
    """Open a private file, made when missing, and return its descriptor. Raises `VaultDamaged`."""
    try:
        fd = os.open(path, flags | os.O_CREAT | _NOFOLLOW | _EXTRA, FILE_MODE)
    except OSError as error:
        raise VaultDamaged(f"{path.name} cannot be opened: {_reason(path, error)}") from None
    found = os.fstat(fd)
    try:
        if _POSIX and found.st_size == 0 and found.st_uid == os.geteuid():
            os.fchmod(fd, FILE_MODE)
            found = os.fstat(fd)
        _check_file(path.name, found)
    except BaseException:
        os.close(fd)
        raise
    return fd


def sync_folder(folder: Path) -> None:
    """Make the folder's list of names durable, where the system can."""
    if not _POSIX:
        return
    fd = os.open(folder, os.O_RDONLY | _EXTRA)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _check_file(name: str, found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise VaultDamaged(f"{name} is a symbolic link")
    if not stat.S_ISREG(found.st_mode):
        raise VaultDamaged(f"{name} is not a plain file")
    _check_owner(name, found)
    if _POSIX and found.st_mode & _FOREIGN_BITS:
        raise VaultDamaged(f"other users can open {name} (mode {stat.S_IMODE(found.st_mode):o})")
    if found.st_nlink > 1:
        raise VaultDamaged(f"{name} has a second name (a hard link)")


def _check_owner(name: str, found: os.stat_result) -> None:
    if _POSIX and found.st_uid != os.geteuid():
        raise VaultDamaged(f"{name} belongs to another user")


def _reason(path: Path, error: OSError) -> str:
    return "it is a symbolic link" if path.is_symlink() else (error.strerror or "unknown reason")


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Turn a full or refusing disk into `VaultUnwritable`."""
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        raise VaultUnwritable(error.strerror or "the disk refuses it") from None
