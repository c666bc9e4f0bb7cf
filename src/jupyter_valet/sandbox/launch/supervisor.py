"""The process beside a kernel that makes the socket calls a filter cannot judge.

A seccomp filter sees numbers, not addresses, and Landlock lets two things pass that matter here:
`connect` to a UNIX socket by its path (until ABI 9), which is the session bus, and `listen` on a
socket that was never bound, which is a port a browser can reach (R80). So `bind`, `connect` and
`listen` wait for the supervisor. It copies the descriptor and the address, judges the copies, and
makes the call on the copies itself: nothing that the kernel changes meanwhile counts
(seccomp_unotify(2), "TOCTOU").

It is inside the kernel's own Landlock domain, without capabilities, so a TCP connection that it
makes is one that the kernel may make; and the kernel is in a domain nested in it, so the kernel
can neither signal nor trace it. When it ends, the kernel is killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import addresses, system
from .addresses import Loopback

_RECEIVE, _SEND, _VALID = 0xC0502100, 0xC0182101, 0x40082102
_PIDFD_THREAD = os.O_EXCL
_SAME_MOUNT, _NO_SYMLINKS, _BENEATH = 0x01, 0x04, 0x08
_LONGEST_ADDRESS = 128
_CONTINUE = 1
_GO_ON = -1
"""Stands for: the caller may make the call itself."""
_INET = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True)
class Rules:
    """What the supervisor allows; call numbers are those of this machine."""

    calls: Mapping[int, str]
    """`bind`, `connect` and `listen` by their numbers."""
    loopback: Loopback
    socket_roots: Sequence[tuple[str, int]]
    """Folders, open, whose UNIX sockets may be connected to."""


@dataclass(frozen=True)
class Call:
    """One system call that waits."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, ...]

    @classmethod
    def parse(cls, raw: bytes | bytearray) -> Call:
        """Read a `struct seccomp_notif`."""
        identity, thread, _flags, number, _arch, _ip, *arguments = struct.unpack("=QIIiIQ6Q", raw)
        return cls(identity, thread, number, tuple(arguments))


def supervise(listener: int, kernel: int, above: int, rules: Rules) -> int:
    """Answer calls until the process `kernel` ends; return its wait status.

    `above` is the descriptor of the process that Jupyter knows: when that ends, the kernel does.
    """
    end = os.pidfd_open(kernel)
    poller = select.poll()
    for fd in (listener, end, above):
        poller.register(fd, select.POLLIN)
    while True:
        ready = dict(poller.poll())
        if ready.get(listener, 0) & select.POLLIN:
            _take(listener, rules)
        if above in ready:
            with contextlib.suppress(OSError):
                os.kill(kernel, signal.SIGKILL)
            poller.unregister(above)
        if end in ready:
            return os.waitpid(kernel, 0)[1]
        if ready.get(listener, 0) & select.POLLHUP:  # nobody has the filter any more
            poller.unregister(listener)


def _take(listener: int, rules: Rules) -> None:
    raw = bytearray(80)
    try:
        fcntl.ioctl(listener, _RECEIVE, raw)
    except OSError:  # interrupted, or the caller is gone
        return
    call = Call.parse(raw)
    try:
        fd = _descriptor_of(call)
    except OSError as error:
        _answer(listener, call, error.errno or errno.EPERM)
        return
    act = _ACTS.get(rules.calls.get(call.number, ""))
    if act is _connect and os.get_blocking(fd):  # it may wait for an answer from far away
        finish = threading.Thread(
            target=_finish, args=(listener, call, fd, act, rules), daemon=True
        )
        finish.start()
    else:
        _finish(listener, call, fd, act or _unknown, rules)


def _descriptor_of(call: Call) -> int:
    """Copy the socket that the call is about out of the process that makes it."""
    process = system.syscall(system.PIDFD_OPEN, call.thread, _PIDFD_THREAD)
    try:
        return system.syscall(system.PIDFD_GETFD, process, call.arguments[0] & 0xFFFFFFFF, 0)
    finally:
        os.close(process)


def _finish(listener: int, call: Call, fd: int, act: Act, rules: Rules) -> None:
    try:
        error = act(listener, call, fd, rules)
    except OSError as caught:
        error = caught.errno or errno.EPERM
    except Exception:  # never leave a caller waiting
        error = errno.EPERM
    finally:
        os.close(fd)
    _answer(listener, call, error)


def _answer(listener: int, call: Call, error: int) -> None:
    flags = _CONTINUE if error == _GO_ON else 0
    reply = struct.pack("=QqiI", call.id, 0, 0 if flags else -error, flags)
    with contextlib.suppress(OSError):  # the caller was interrupted or killed
        fcntl.ioctl(listener, _SEND, reply)


def _still_waiting(listener: int, call: Call) -> None:
    """Raise `OSError` when the caller is gone: its number may be another process by now."""
    fcntl.ioctl(listener, _VALID, struct.pack("=Q", call.id))


def _unknown(listener: int, call: Call, fd: int, rules: Rules) -> int:
    return errno.ENOSYS


def _bind(listener: int, call: Call, fd: int, rules: Rules) -> int:
    """Bind a TCP socket where the kernel may listen; the caller binds everything else itself.

    Letting the caller go on is safe, though it may swap the descriptor: Landlock judges the folder
    of a UNIX socket and the port of a TCP socket once more.
    """
    if not _is_tcp(fd):
        return _GO_ON
    address = _address_of(call)
    _still_waiting(listener, call)
    error = errno.EACCES
    for candidate in addresses.to_bind(address, rules.loopback):
        error = system.bind(fd, candidate)
        if error == 0:
            addresses.bound(address, candidate, rules.loopback)
        if error != errno.EADDRINUSE:
            break
    return errno.EADDRNOTAVAIL if error == errno.EINVAL else error


def _listen(listener: int, call: Call, fd: int, rules: Rules) -> int:
    _still_waiting(listener, call)
    if _is_tcp(fd):
        error = _bound(fd, rules.loopback)
        if error:
            return error
    with socket.socket(fileno=os.dup(fd)) as ours:
        ours.listen(min(call.arguments[1] & 0x7FFFFFFF, socket.SOMAXCONN))
    return 0


def _bound(fd: int, loopback: Loopback) -> int:
    """Bind a socket that listens without having been bound; refuse a port that is not allowed."""
    with socket.socket(fileno=os.dup(fd)) as ours:
        port, family = ours.getsockname()[1], ours.family
    if port in loopback.own or port in loopback.local or port in loopback.opened:
        return 0
    if port:
        return errno.EACCES
    error = errno.EADDRINUSE
    for number in loopback.free_ports():
        candidate = addresses.encode(family, loopback.address, number)
        error = system.bind(fd, candidate)
        if error == 0:
            addresses.bound(b"", candidate, loopback)
        if error != errno.EADDRINUSE:
            break
    return error


def _connect(listener: int, call: Call, fd: int, rules: Rules) -> int:
    address = _address_of(call)
    _still_waiting(listener, call)
    if _option(fd, socket.SO_DOMAIN) == socket.AF_UNIX:
        return _connect_unix(fd, address, rules)
    led = addresses.to_connect(address, rules.loopback) if _is_tcp(fd) else address
    return errno.EACCES if led is None else system.connect(fd, led)


def _is_tcp(fd: int) -> bool:
    return (
        _option(fd, socket.SO_DOMAIN) in _INET and _option(fd, socket.SO_TYPE) == socket.SOCK_STREAM
    )


def _option(fd: int, option: int) -> int:
    with socket.socket(fileno=os.dup(fd)) as ours:
        return ours.getsockopt(socket.SOL_SOCKET, option)


Act = Callable[[int, Call, int, Rules], int]
_ACTS: Mapping[str, Act] = {"bind": _bind, "connect": _connect, "listen": _listen}


def _address_of(call: Call) -> bytes:
    length = call.arguments[2] & 0xFFFFFFFF
    if length > _LONGEST_ADDRESS:
        raise OSError(errno.EINVAL, "address")
    memory = os.open(f"/proc/{call.thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(memory, length, call.arguments[1])
    finally:
        os.close(memory)


def _connect_unix(fd: int, address: bytes, rules: Rules) -> int:
    """Connect by path, beneath the allowed folders, through no symbolic link and into no mount.

    Where `/tmp` is the kernel's own, places of the person's may be mounted in it.
    """
    name = address[2:]
    if len(address) < 3 or name[0] == 0:
        return system.connect(fd, address)  # abstract: the Landlock scope judges
    path = os.fsdecode(name.split(b"\0", 1)[0])
    for root, folder in rules.socket_roots:
        if path.startswith(root + "/"):
            place = _open_beneath(folder, path[len(root) + 1 :])
            try:
                link = f"/proc/self/fd/{place}".encode() + b"\0"
                return system.connect(fd, struct.pack("=H", socket.AF_UNIX) + link)
            finally:
                os.close(place)
    return errno.EACCES


def _open_beneath(folder: int, path: str) -> int:
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC, 0, _SAME_MOUNT | _NO_SYMLINKS | _BENEATH)
    return system.syscall(system.OPENAT2, folder, os.fsencode(path) + b"\0", how, len(how))


def reap(seconds: float = 2.0) -> None:
    """Kill what the kernel left running: this process is who orphans are given to."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for child in _children():
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.005)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir("/proc/self/task"):  # noqa: PTH208
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as listing:  # noqa: PTH123
                found += [int(pid) for pid in listing.read().split()]
    return found
