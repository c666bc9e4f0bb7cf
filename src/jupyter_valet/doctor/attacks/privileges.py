"""What only root may, and what is left of it inside a kernel."""

import ctypes
import os
import socket
import struct
import time

libc = ctypes.CDLL(None, use_errno=True)


def sniff(t):
    """R48: every packet of the loopback."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap:
        tap.bind(("lo", 0))
        tap.settimeout(0.5)
        got, deadline = [], time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                got.append(tap.recv(65535))
            except TimeoutError:
                continue
        text = b" ".join(got).decode("latin-1")
        return f"CONTROL {len(got)} packets, authorization seen: {'uthorization' in text}"


def kernel_doors(t):
    """R49: a BPF program (a socket filter that returns 0), or perf events of the whole machine."""
    program = struct.pack("<QQ", 0xB7, 0x95)  # r0 = 0; exit
    kept = ctypes.create_string_buffer(program, 16)
    licence = ctypes.create_string_buffer(b"GPL")
    # BPF_PROG_TYPE_KPROBE: what reads the kernel's memory, and never for the unprivileged
    attributes = struct.pack(
        "IIQQIIQII", 2, 2, ctypes.addressof(kept), ctypes.addressof(licence), 0, 0, 0, 0, 0
    ).ljust(128, b"\0")
    buffer = ctypes.create_string_buffer(attributes, 128)
    descriptor = libc.syscall(321, 5, buffer, 128)
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, "bpf: " + os.strerror(error))
    os.close(descriptor)
    return "CONTROL a BPF program was loaded"


def other_user(t):
    """R50."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setuid(31337)
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
    _, status = os.waitpid(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise OSError(code, os.strerror(code))
    return "CONTROL became another user"
