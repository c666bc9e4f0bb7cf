"""Landlock: rulesets of files and TCP ports (linux/landlock.h, Documentation/userspace-api).

Landlock only allows: what no rule names is refused, beneath every directory and for every port.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from . import system

TYPE_CHECKING = False  # see `plan`
if TYPE_CHECKING:
    from collections.abc import Iterable

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK = 1 << 6, 1 << 7, 1 << 8, 1 << 9
MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = 1 << 10, 1 << 11, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
SIGNALS = 1 << 1
SCOPES = (1 << 0) | SIGNALS
"""Abstract UNIX sockets and signals."""

EVERY_FILE_RIGHT = (1 << 16) - 1
READ = EXECUTE | READ_FILE | READ_DIR
WRITE = EVERY_FILE_RIGHT & ~(MAKE_CHAR | MAKE_BLOCK)
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""What a rule on something other than a directory may hold; more is EINVAL."""

NEEDED_ABI = 6
"""The scopes came with ABI 6 (Linux 6.12); without them a kernel signals the Jupyter server."""

NESTING_ABI = 2
"""`REFER` came with it (Linux 5.19): before, no file could be moved in any domain."""

_BENEATH, _PORT = 1, 2


def abi() -> int:
    """Return the Landlock ABI of the running system, 0 where there is none."""
    try:
        return system.syscall(system.LANDLOCK_CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


def ruleset(*, files: int = 0, ports: int = 0, scopes: int = 0) -> int:
    """Create a ruleset that handles these rights; return its descriptor."""
    attributes = struct.pack("=QQQ", files, ports, scopes)
    return system.syscall(system.LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)


def further_ruleset(*, ports: int = 0, scopes: int = 0) -> int:
    """Create a ruleset for a domain within one that has judged files already.

    Every domain refuses to move files between folders unless a rule of its own allows it.
    """
    fd = ruleset(files=REFER, ports=ports, scopes=scopes)
    allow_path(fd, "/", REFER)
    return fd


def allow_path(fd: int, path: str, rights: int) -> None:
    """Allow `rights` on `path` and beneath it. What is gone by now, or a symbolic link, is not."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        mode = os.fstat(place).st_mode
        if stat.S_ISLNK(mode):
            return
        rights = rights if stat.S_ISDIR(mode) else rights & FILE_RIGHTS
        rule = struct.pack("=Qi", rights, place)
        if rights:
            system.syscall(system.LANDLOCK_ADD_RULE, fd, _BENEATH, rule, 0)
    finally:
        os.close(place)


def allow_ports(fd: int, right: int, ports: Iterable[int]) -> None:
    """Allow `right` on TCP `ports`. The loop is bare: it may run 65,000 times."""
    rule = (ctypes.c_uint64 * 2)(right, 0)
    libc = ctypes.PyDLL(None, use_errno=True)  # releasing the GIL for each port triples the time
    add, where = libc.syscall, ctypes.byref(rule)
    for port in ports:
        rule[1] = port
        if add(system.LANDLOCK_ADD_RULE, fd, _PORT, where, 0):
            raise OSError(ctypes.get_errno(), "landlock_add_rule")


def every_port_but(denied: Iterable[int]) -> int:
    """Return a ruleset by which TCP connects go to every port that is not `denied`.

    It takes a tenth of a second and stays valid, so a server makes one for all its kernels.
    """
    fd = further_ruleset(ports=CONNECT_TCP)
    refused = set(denied)
    allow_ports(fd, CONNECT_TCP, (port for port in range(65536) if port not in refused))
    return fd


def restrict_self(fd: int) -> None:
    """Enter a domain of `fd`'s rules; there is no way out, for this process or its children."""
    system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
    system.syscall(system.LANDLOCK_RESTRICT_SELF, fd, 0)
