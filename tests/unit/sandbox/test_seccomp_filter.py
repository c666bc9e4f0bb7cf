"""The system call filter, run call by call in a simulator of classic BPF."""

from __future__ import annotations

import errno
import socket
import struct
from pathlib import Path

import pytest

from jupyter_valet.sandbox import bpf, seccomp_filter
from jupyter_valet.sandbox.syscalls import AARCH64, ARCHITECTURES, X86_64, Architecture

FORBIDDEN = bpf.fail(errno.EPERM)
MISSING = bpf.fail(errno.ENOSYS)
SUPERVISED = seccomp_filter.SUPERVISED

every_machine = pytest.mark.parametrize("machine", ARCHITECTURES.values(), ids=ARCHITECTURES)


def judge(program: bytes, number: int, *arguments: int, arch: int) -> int:
    """Run a BPF program over a call; return its answer."""
    words = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, arch, 0, *(word & (2**64 - 1) for word in words))
    instructions = [struct.unpack("=HBBI", program[i : i + 8]) for i in range(0, len(program), 8)]
    at, loaded = 0, 0
    while True:
        code, when_true, when_false, constant = instructions[at]
        at += 1
        match code:
            case bpf.LOAD:
                [loaded] = struct.unpack_from("=I", data, constant)
            case bpf.AND:
                loaded &= constant
            case bpf.RETURN:
                return int(constant)
            case bpf.EQUAL:
                at += when_true if loaded == constant else when_false
            case bpf.AT_LEAST:
                at += when_true if loaded >= constant else when_false
            case bpf.ANY_BIT:
                at += when_true if loaded & constant else when_false
            case _:
                raise AssertionError(code)


def call(machine: Architecture, name: str, *arguments: int, unix: bool = True) -> int:
    program = seccomp_filter.build(machine, unix=unix, supervised=SUPERVISED)
    return judge(program, machine.numbers[name], *arguments, arch=machine.audit)


@every_machine
def test_an_unlisted_call_is_allowed(machine: Architecture) -> None:
    program = seccomp_filter.build(machine, unix=True, supervised=SUPERVISED)
    assert judge(program, 1, arch=machine.audit) == bpf.ALLOW


@every_machine
def test_another_architecture_s_call_kills(machine: Architecture) -> None:
    """R06: its numbers mean other calls."""
    program = seccomp_filter.build(machine, unix=True, supervised=SUPERVISED)
    other = AARCH64 if machine is X86_64 else X86_64
    for arch in (other.audit, 0x40000003):  # AUDIT_ARCH_I386
        assert judge(program, 1, arch=arch) == bpf.KILL


def test_calls_by_the_x32_table_are_missing() -> None:
    program = seccomp_filter.build(X86_64, unix=True, supervised=SUPERVISED)
    assert judge(program, 0x40000000 | 41, arch=X86_64.audit) == MISSING


@every_machine
@pytest.mark.parametrize("name", seccomp_filter.REFUSED)
def test_a_refused_call_fails(machine: Architecture, name: str) -> None:
    if name in machine.numbers:
        assert call(machine, name) == FORBIDDEN


@every_machine
@pytest.mark.parametrize("name", seccomp_filter.MISSING)
def test_io_uring_and_clone3_are_missing(machine: Architecture, name: str) -> None:
    """R07."""
    assert call(machine, name) == MISSING


@every_machine
@pytest.mark.parametrize("name", SUPERVISED)
def test_calls_with_addresses_wait_for_the_supervisor(machine: Architecture, name: str) -> None:
    assert call(machine, name) == bpf.ASK


@every_machine
def test_a_user_namespace_is_refused_and_a_thread_is_not(machine: Architecture) -> None:
    """R41."""
    assert call(machine, "clone", seccomp_filter.NEW_USER | 17) == FORBIDDEN
    assert call(machine, "clone", 0x3D0F00) == bpf.ALLOW


@every_machine
def test_limits_of_another_process_are_refused(machine: Architecture) -> None:
    """R39."""
    assert call(machine, "prlimit64", 1234) == FORBIDDEN
    assert call(machine, "prlimit64", 0) == bpf.ALLOW


@every_machine
@pytest.mark.parametrize(
    ("family", "kind", "protocol", "allowed"),
    [
        (2, socket.SOCK_STREAM, 0, True),
        (2, socket.SOCK_STREAM, 6, True),
        (10, socket.SOCK_STREAM | 0x80800, 6, True),  # close-on-exec, non-blocking
        (2, socket.SOCK_DGRAM, 17, True),
        (2, socket.SOCK_DGRAM, 1, True),  # ping
        (16, socket.SOCK_RAW, 0, True),  # NETLINK_ROUTE, by which names are resolved
        (1, socket.SOCK_STREAM, 0, True),
        (2, socket.SOCK_STREAM, 262, False),  # MPTCP passes Landlock
        (10, socket.SOCK_STREAM, 262, False),
        (2, socket.SOCK_STREAM, 132, False),  # SCTP
        (2, socket.SOCK_SEQPACKET, 0, False),  # SCTP by its type
        (2, socket.SOCK_RAW, 1, False),
        (1, socket.SOCK_DGRAM, 0, False),  # sends to any path without `connect`
        (1, socket.SOCK_SEQPACKET, 0, False),
        (16, socket.SOCK_RAW, 4, False),  # sock_diag
        (17, socket.SOCK_RAW, 0, False),  # AF_PACKET, R48
        (38, socket.SOCK_SEQPACKET, 0, False),  # AF_ALG
        (40, socket.SOCK_STREAM, 0, False),  # AF_VSOCK
        (43, socket.SOCK_STREAM, 0, False),  # AF_SMC passes Landlock
    ],
)
def test_sockets(
    machine: Architecture, family: int, kind: int, protocol: int, allowed: bool
) -> None:
    assert (call(machine, "socket", family, kind, protocol) == bpf.ALLOW) is allowed


@every_machine
def test_a_socket_pair_is_a_stream(machine: Architecture) -> None:
    """A datagram socket of a pair sends to any path."""
    assert call(machine, "socketpair", 1, socket.SOCK_STREAM | 0x80000) == bpf.ALLOW
    assert call(machine, "socketpair", 1, socket.SOCK_DGRAM) == FORBIDDEN


@every_machine
@pytest.mark.parametrize(("name", "at"), seccomp_filter.FASTOPEN_FLAGS.items())
def test_fast_open_which_connects_past_landlock_is_refused(
    machine: Architecture, name: str, at: int
) -> None:
    arguments = [0] * at
    assert call(machine, name, *arguments, 0x20000000) == bpf.fail(errno.EOPNOTSUPP)
    assert call(machine, name, *arguments, 0x4000) == bpf.ALLOW


@every_machine
def test_upper_halves_of_numbers_change_nothing(machine: Architecture) -> None:
    """The kernel reads an `int` from the lower half; so does the filter."""
    assert call(machine, "socket", 17 | 1 << 40, socket.SOCK_RAW, 0) != bpf.ALLOW
    assert call(machine, "clone", seccomp_filter.NEW_USER | 1 << 40) == FORBIDDEN


def test_unix_sockets_can_be_left_out() -> None:
    assert call(X86_64, "socket", 1, socket.SOCK_STREAM, 0, unix=False) == FORBIDDEN


def test_the_numbers_are_those_of_the_system_s_headers() -> None:
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("the headers of the C library are not installed")
    words = [line.split() for line in header.read_text().splitlines()]
    known = {
        w[1].removeprefix("__NR_"): int(w[2]) for w in words if w[:1] == ["#define"] and len(w) == 3
    }
    assert {
        name: number
        for name, number in X86_64.numbers.items()
        if name in known and known[name] != number
    } == {}


def test_a_jump_that_is_too_long_is_an_error() -> None:
    with pytest.raises(ValueError, match="255"):
        bpf.when(bpf.EQUAL, 1, bpf.answer(1) * 256)
