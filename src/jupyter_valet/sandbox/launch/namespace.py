"""A view of the file system of its own: closed places are covered, for this process and below.

All of it is read-only but what is mounted writable, so what Landlock does not judge (modes, owners,
times, attributes) cannot be changed outside either. Mounts are copied from what lies at a path now,
all before the first is put anywhere, so that one that covers another's source does no harm
(open_tree(2), move_mount(2), mount_setattr(2)). Nobody takes them away afterwards: the capability
for it is given up, and the calls are filtered.
"""

from __future__ import annotations

import os

from . import system

TYPE_CHECKING = False  # see `plan`
if TYPE_CHECKING:
    from collections.abc import Sequence

Mount = tuple[str, str, bool, str]
"""What lies at the first path is put at the second, writable or not. The last says what to make
there first: a "folder", a "file" or nothing."""

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_EMPTY_PATH, _RECURSIVE = 0x1000, 0x8000
_CLONE, _FROM_DESCRIPTOR, _TO_DESCRIPTOR = 1, 0x04, 0x40


def enter(mounts: Sequence[Mount]) -> None:
    """Take a view of one's own and put the mounts into it, in their order. Raises `OSError`."""
    here = os.getcwd()  # noqa: PTH109
    _unshare()
    system.mount_slave(b"/")
    trees = [_copy(source, writable=writable) for source, _, writable, _ in mounts]
    system.mount_read_only(b"/")
    for tree, (_, target, _, made) in zip(trees, mounts, strict=True):
        place = _made(target, folder=made == "folder") if made else system.open_exactly(target)
        flags = _FROM_DESCRIPTOR | _TO_DESCRIPTOR
        system.syscall(system.MOVE_MOUNT, tree, b"\0", place, b"\0", flags)
        os.close(place)
        os.close(tree)
    _return_to(here)


def _unshare() -> None:
    """Get a mount namespace: as root by right, else in a user namespace of the same one user."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            system.unshare(_NEW_MOUNTS)
        except PermissionError:  # root without that capability, in a container
            pass
        else:
            return
    system.unshare(_NEW_USER | _NEW_MOUNTS)
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(content)


def _copy(source: str, *, writable: bool) -> int:
    place = system.open_exactly(source)
    flags = _EMPTY_PATH | _RECURSIVE | _CLONE | os.O_CLOEXEC
    try:
        tree = system.syscall(system.OPEN_TREE, place, b"\0", flags)
    finally:
        os.close(place)
    if not writable:
        system.mount_read_only(b"", tree)
    return tree


def _made(target: str, *, folder: bool) -> int:
    """Open `target`, made where it is not there, in a folder that a kernel may have written to.

    One step at a time and through no symbolic link: a link there could lead anywhere.
    """
    *above, name = target.strip("/").split("/")
    at = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for step in above:
        at = _step(at, step, folder=True)
    return _step(at, name, folder=folder)


def _step(at: int, name: str, *, folder: bool) -> int:
    """Open what `name` is in the folder `at`, which is closed; make it if need be."""
    try:
        try:
            if folder:
                os.mkdir(name, 0o700, dir_fd=at)
            else:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(name, flags, 0o600, dir_fd=at))
        except FileExistsError:
            pass
        kind = os.O_DIRECTORY if folder else 0
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=at)
    finally:
        os.close(at)


def _return_to(path: str) -> None:
    """Enter the working directory anew: it is still what lay at its path before."""
    try:
        os.chdir(path)
    except OSError:  # a place that is not part of this view
        os.chdir("/")
