"""Installing a seccomp filter that asks a supervisor about some calls (seccomp_unotify(2))."""

from __future__ import annotations

import ctypes
import os
import struct

from . import system

_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
_NEW_LISTENER = 1 << 3


def install(program: bytes, *, listener: bool) -> int:
    """Install a BPF program of 8-byte instructions; return the supervisor's descriptor, or -1.

    Calls that wait for the supervisor stay interruptible: a person presses Interrupt while a
    connection hangs. Raises `OSError`.
    """
    machine = os.uname().machine
    number = _SECCOMP.get(machine)
    if number is None:
        raise OSError(f"no seccomp filter for {machine}")
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    system.prctl(system.PR_SET_NO_NEW_PRIVS, 1)
    flags = _NEW_LISTENER if listener else 0
    fd = system.syscall(number, _SET_MODE_FILTER, flags, header)
    return fd if listener else -1
