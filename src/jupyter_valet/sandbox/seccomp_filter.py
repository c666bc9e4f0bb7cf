"""The system calls that a kernel may not make, as tables, and the filter made from them.

What each closes was measured (docs/threat-model.md, rows R06 to R14, R39, R46 to R49); what is not
named is allowed, because Landlock and the missing capabilities judge it better.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from . import bpf
from .bpf import ANY_BIT, AT_LEAST, EQUAL, Program
from .syscalls import Architecture

REFUSED = (
    # other processes: memory, descriptors, tracing
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise",
    "process_mrelease", "migrate_pages", "move_pages", "perf_event_open",
    # the kernel's keyrings, which every process of the user shares (R46)
    "keyctl", "add_key", "request_key",
    # namespaces and mounts, which would change what a path means
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_tree", "move_mount",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "open_tree_attr",
    "open_by_handle_at",
    # large or privileged surface of the kernel (R49)
    "bpf", "userfaultfd", "fanotify_init", "lookup_dcookie", "syslog", "init_module",
    "finit_module", "delete_module", "kexec_load", "kexec_file_load", "iopl", "ioperm", "acct",
    "quotactl", "quotactl_fd", "swapon", "swapoff", "reboot", "vhangup",
)  # fmt: skip
"""Fail with EPERM."""

MISSING = ("io_uring_setup", "io_uring_enter", "io_uring_register", "clone3")
"""Fail with ENOSYS, as if this Linux had none, so that libraries fall back to calls that can be
judged: io_uring makes sockets past any filter (R07), clone3's flags lie in memory."""

SUPERVISED = ("bind", "connect", "listen", "getsockname")
"""Judged or answered by a supervisor: their addresses lie in memory."""

NEW_USER = 0x10000000
_FASTOPEN = 0x20000000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_TYPE = 0xF
_NETLINK_ROUTE = 0
_TCP_ULP = 31
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_ICMP = (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6)

FASTOPEN_FLAGS = {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}
"""Index of the flags. MSG_FASTOPEN connects a TCP socket without `connect`, past Landlock."""


def build(machine: Architecture, *, unix: bool, supervised: Sequence[str]) -> bytes:
    """Return the filter for `machine`.

    `unix` allows stream sockets of AF_UNIX, which needs `connect` to be among the `supervised`
    calls, those that wait for a supervisor.
    """
    program = _native_only(machine)
    for name in REFUSED:
        program += _call(machine, name, bpf.answer(bpf.fail(errno.EPERM)))
    for name in MISSING:
        program += _call(machine, name, bpf.answer(bpf.fail(errno.ENOSYS)))
    for name, body in _by_argument(unix=unix).items():
        program += _call(machine, name, body)
    for name in supervised:
        program += _call(machine, name, bpf.answer(bpf.ASK))
    return bpf.encode(program + bpf.answer(bpf.ALLOW))


def _call(machine: Architecture, name: str, body: Program) -> Program:
    """Run `body` for one call; a call that the architecture does not have needs no rule."""
    number = machine.numbers.get(name)
    if number is None:
        return []
    return bpf.when(EQUAL, number, body)


def _native_only(machine: Architecture) -> Program:
    """Kill what calls through another architecture's table: its numbers mean other calls (R06)."""
    program = bpf.load(bpf.ARCH_OFFSET)
    program += bpf.unless(EQUAL, machine.audit, bpf.answer(bpf.KILL))
    program += bpf.load(bpf.NUMBER_OFFSET)
    if machine.foreign_above:
        refused = bpf.answer(bpf.fail(errno.ENOSYS))
        program += bpf.when(AT_LEAST, machine.foreign_above, refused)
    return program


def _by_argument(*, unix: bool) -> dict[str, Program]:
    """Return the calls whose arguments decide. Each body ends the program."""
    refused, allowed = bpf.answer(bpf.fail(errno.EPERM)), bpf.answer(bpf.ALLOW)
    bodies = {
        "clone": bpf.argument(0) + bpf.when(ANY_BIT, NEW_USER, refused) + allowed,
        "prlimit64": bpf.argument(0) + bpf.unless(EQUAL, 0, refused) + allowed,
        "ioctl": bpf.argument(1)
        + bpf.when(EQUAL, _TIOCSTI, refused)
        + bpf.when(EQUAL, _TIOCLINUX, refused)
        + allowed,
        # It makes another protocol of a TCP socket; SMC connects past Landlock.
        "setsockopt": bpf.argument(1)
        + bpf.unless(EQUAL, socket.IPPROTO_TCP, allowed)
        + bpf.argument(2)
        + bpf.when(EQUAL, _TCP_ULP, bpf.answer(bpf.fail(errno.ENOPROTOOPT)))
        + allowed,
        "socket": _socket(unix=unix),
        # A datagram socket of a pair can still send to any path.
        "socketpair": bpf.argument(0)
        + bpf.unless(EQUAL, _AF_UNIX, bpf.answer(bpf.fail(errno.EAFNOSUPPORT)))
        + bpf.argument(1)
        + bpf.masked(_TYPE)
        + bpf.unless(EQUAL, socket.SOCK_STREAM, refused)
        + allowed,
    }
    for name, flags in FASTOPEN_FLAGS.items():
        unsupported = bpf.answer(bpf.fail(errno.EOPNOTSUPP))
        bodies[name] = bpf.argument(flags) + bpf.when(ANY_BIT, _FASTOPEN, unsupported) + allowed
    return bodies


def _socket(*, unix: bool) -> Program:
    """Allow TCP, UDP and ping over IP, routing questions, and UNIX streams if `unix`.

    MPTCP, SCTP, SMC and the like connect past Landlock, which knows TCP only.
    """
    refused, allowed = bpf.answer(bpf.fail(errno.EPERM)), bpf.answer(bpf.ALLOW)
    protocol = bpf.argument(2)
    for number in (0, socket.IPPROTO_TCP, socket.IPPROTO_UDP, *_ICMP):
        protocol += bpf.when(EQUAL, number, allowed)
    protocol += bpf.answer(bpf.fail(errno.EPROTONOSUPPORT))
    stream = bpf.argument(1) + bpf.masked(_TYPE)
    internet = (
        stream
        + bpf.when(EQUAL, socket.SOCK_STREAM, protocol)
        + bpf.when(EQUAL, socket.SOCK_DGRAM, protocol)
        + refused
    )
    local = stream + bpf.when(EQUAL, socket.SOCK_STREAM, allowed) + refused
    routes = bpf.argument(2) + bpf.when(EQUAL, _NETLINK_ROUTE, allowed) + refused
    program = bpf.argument(0)
    program += bpf.when(EQUAL, _AF_INET, internet)
    program += bpf.when(EQUAL, _AF_INET6, internet)
    program += bpf.when(EQUAL, _AF_NETLINK, routes)
    program += bpf.when(EQUAL, _AF_UNIX, local if unix else refused)
    return program + bpf.answer(bpf.fail(errno.EAFNOSUPPORT))
