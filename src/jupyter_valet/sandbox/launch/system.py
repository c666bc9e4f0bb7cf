"""System calls that Python has no name for. Raises `OSError` as `os` would."""

from __future__ import annotations

import ctypes
import os
import struct
import sys

TYPE_CHECKING = False  # see `plan`
if TYPE_CHECKING:
    from typing import Any

_libc: Any = None
if sys.platform == "linux":
    _libc = ctypes.CDLL(None, use_errno=True)
    _libc.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

OPEN_TREE = 428
MOVE_MOUNT = 429
PIDFD_OPEN = 434
OPENAT2 = 437
PIDFD_GETFD = 438
MOUNT_SETATTR = 442
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
"""Newer system calls have one number on every architecture."""

SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGPIPE, SIGTERM = 1, 2, 3, 9, 13, 15
SIG_DFL, SIG_IGN = 0, 1
"""As everywhere on Linux. To import `signal` takes a launcher longer than all that it does."""

_AT_FDCWD = -100
_NO_MAGIC_LINKS, _NO_SYMLINKS = 0x02, 0x04
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_MOUNT_ATTR_RDONLY = 1
_MS_REC, _MS_SLAVE = 1 << 14, 1 << 19

Argument = int | bytes | ctypes.Array[ctypes.c_char] | None


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def syscall(number: int, *arguments: Argument) -> int:
    """Make a system call; integers are passed as machine words."""
    words = [ctypes.c_ulong(a & (2**64 - 1)) if isinstance(a, int) else a for a in arguments]
    return _checked(int(_libc.syscall(ctypes.c_long(number), *words)))


def prctl(option: int, *arguments: int) -> int:
    """Change how the system treats this process."""
    words = [ctypes.c_ulong(a) for a in [*arguments, 0, 0, 0, 0][:4]]
    return _checked(int(_libc.prctl(ctypes.c_int(option), *words)))


def signal(number: int, action: int) -> None:
    """Let a signal have its default action, or none, in spite of Python, and after an exec."""
    _libc.signal(ctypes.c_int(number), ctypes.c_void_p(action))


def open_exactly(path: str) -> int:
    """Open what lies at an absolute path, for its place alone, through no symbolic link."""
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC, 0, _NO_MAGIC_LINKS | _NO_SYMLINKS)
    return syscall(OPENAT2, _AT_FDCWD, os.fsencode(path) + b"\0", how, len(how))


def unshare(flags: int) -> None:
    """Leave the namespaces that this process shares."""
    _checked(int(_libc.unshare(ctypes.c_int(flags))))


def mount_slave(path: bytes) -> None:
    """Let mounts of others reach those at and below `path`, and none of ours reach theirs."""
    flags = ctypes.c_ulong(_MS_REC | _MS_SLAVE)
    _checked(int(_libc.mount(None, path, None, flags, None)))


def mount_read_only(path: bytes, tree: int = -1) -> None:
    """Make the mount at `path`, or that of the descriptor `tree`, read-only with all below it."""
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    at, flags = (_AT_FDCWD, _AT_RECURSIVE) if path else (tree, _AT_RECURSIVE | _AT_EMPTY_PATH)
    syscall(MOUNT_SETATTR, at, path + b"\0", flags, attributes, len(attributes))


def connect(fd: int, address: bytes) -> int:
    """Connect to a raw address; return 0 or the error number."""
    result = int(_libc.connect(ctypes.c_int(fd), address, ctypes.c_uint(len(address))))
    return 0 if result == 0 else ctypes.get_errno()


def bind(fd: int, address: bytes) -> int:
    """Bind to a raw address; return 0 or the error number."""
    result = int(_libc.bind(ctypes.c_int(fd), address, ctypes.c_uint(len(address))))
    return 0 if result == 0 else ctypes.get_errno()


def capset_none() -> None:
    """Give up every capability of this process."""
    header = (0x20080522).to_bytes(4, "little") + bytes(4)
    _checked(int(_libc.capset(header, bytes(24))))


def write_memory(thread: int, at: int, content: bytes) -> None:
    """Write into the memory of a process that this one may trace, where that may write itself."""
    kept = ctypes.create_string_buffer(content, len(content))
    ours = (ctypes.c_size_t * 2)(ctypes.addressof(kept), len(content))
    theirs = (ctypes.c_size_t * 2)(at, len(content))
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    _checked(int(_libc.process_vm_writev(ctypes.c_int(thread), ours, one, theirs, one, none)))
