"""Installing a seccomp filter that asks a supervisor about some calls (seccomp_unotify(2))."""

from __future__ import annotations

import ctypes
import os
import struct

from . import system

_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
_EINVAL = 22
_NEW_LISTENER = 1 << 3
_WAIT_KILLABLE = 1 << 5
"""Linux 5.19: once a supervisor has a call, only what kills the caller ends its waiting."""


def install(program: bytes, *, listener: bool) -> int:
    """Install a BPF program of 8-byte instructions; return the supervisor's descriptor, or -1.

    A call that the supervisor has made is not repeated because of a signal, nor ends before the
    answer is written; one that hangs the supervisor breaks off. Raises `OSError`.
    """
    machine = os.uname().machine
    number = _SECCOMP.get(machine)
    if number is None:
        raise OSError(f"no seccomp filter for {machine}")
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
    if not listener:
        system.syscall(number, _SET_MODE_FILTER, 0, header)
        return -1
    try:
        flags = _NEW_LISTENER | _WAIT_KILLABLE
        return system.syscall(number, _SET_MODE_FILTER, flags, header)
    except OSError as error:
        if error.errno != _EINVAL:
            raise
        return system.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, header)
