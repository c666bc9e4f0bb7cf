"""System calls that Python has no name for. Raises `OSError` as `os` would."""

from __future__ import annotations

import ctypes
import os
import sys
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

PIDFD_OPEN = 434
OPENAT2 = 437
PIDFD_GETFD = 438
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
"""Newer system calls have one number on every architecture."""

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
