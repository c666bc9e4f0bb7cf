"""The process beside a kernel that makes the socket calls a filter cannot judge.

A seccomp filter sees numbers, not addresses, and Landlock lets two things pass that matter here:
`connect` to a UNIX socket by its path (until ABI 9), which is the session bus, and `listen` on a
socket that was never bound, which is a port a browser can reach (R80). So `bind`, `connect` and
`listen` wait for the supervisor. It copies the descriptor and the address, judges the copies, and
makes the call on the copies itself: nothing that the kernel changes meanwhile counts
(seccomp_unotify(2), "TOCTOU"). `getsockname` waits, too: it says the number that a program's other
programs connect to, not the place where the socket really is.

It is without capabilities, in the Landlock domain that the kernel's is nested in, so the kernel can
neither signal nor trace it. The kernel's own domain allows no TCP connection at all, so each is the
supervisor's, made where Landlock judges its port (`Connector`). When it ends, the kernel is killed.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import fcntl
import functools
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from . import addresses, system
from .addresses import Candidate, Loopback
from .connector import WAKE, Connector, Wait
from .reaping import reap_all_but

_RECEIVE, _SEND, _VALID = 0xC0502100, 0xC0182101, 0x40082102
_PIDFD_THREAD = os.O_EXCL
_SAME_MOUNT, _NO_SYMLINKS, _BENEATH = 0x01, 0x04, 0x08
_LONGEST_ADDRESS = 128
_CONTINUE = 1
_RESTART = 512
"""ERESTARTSYS: the system repeats the call after its signal's handler, or says EINTR."""
_LOOK_SECONDS = 0.05
_LOOK_AT = 256
_GO_ON = -1
"""Stands for: the caller may make the call itself."""
_LATER = -2
"""Stands for: the call is finished elsewhere."""
_INET = (socket.AF_INET, socket.AF_INET6)
_SHARING = (socket.SO_REUSEADDR, getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR))


@dataclass(frozen=True)
class Rules:
    """What the supervisor allows; call numbers are those of this machine."""

    calls: Mapping[int, str]
    """The supervised calls by their numbers."""
    loopback: Loopback
    socket_roots: Sequence[tuple[str, int]]
    """Folders, open, whose UNIX sockets may be connected to."""
    connector: Connector
    waiting: collections.deque[Waiting] = field(default_factory=collections.deque)
    """What the connector may have to be interrupted in."""


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


@dataclass
class Waiting:
    """A call that may wait long, and what it is done by."""

    call: Call
    wait: Wait


def supervise(listener: int, kernel: int, above: int, rules: Rules) -> int:
    """Answer calls until the process `kernel` ends; return its wait status.

    `above` is the descriptor of the process that Jupyter knows: when that ends, the kernel does.
    """
    end = os.pidfd_open(kernel)
    woken = _woken_by_signals()
    poller = select.poll()
    for fd in (listener, end, above, woken):
        poller.register(fd, select.POLLIN)
    looked = 0.0
    while True:
        ready = dict(poller.poll(_LOOK_SECONDS * 1000 if rules.waiting else None))
        if ready.get(listener, 0) & select.POLLIN:
            _take(listener, rules)
        if above in ready:
            with contextlib.suppress(OSError):
                os.kill(kernel, signal.SIGKILL)
            poller.unregister(above)
        if end in ready:
            return os.waitpid(kernel, 0)[1]
        if woken in ready:
            os.read(woken, 4096)
            reap_all_but(kernel)
        if ready.get(listener, 0) & select.POLLHUP:  # nobody has the filter any more
            poller.unregister(listener)
        if rules.waiting and time.monotonic() - looked >= _LOOK_SECONDS:
            _break_off(listener, rules)
            looked = time.monotonic()


def _woken_by_signals() -> int:
    """Return a descriptor that is readable when a child ended; and let threads be interrupted."""
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    for number in (signal.SIGCHLD, WAKE):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    return woken


def _break_off(listener: int, rules: Rules) -> None:
    """Interrupt the calls whose callers were interrupted, or are gone; some at each look."""
    for _ in range(min(len(rules.waiting), _LOOK_AT)):
        waiting = rules.waiting.popleft()
        if waiting.wait.over:
            continue
        rules.waiting.append(waiting)
        if _is_interrupted(listener, waiting.call) and waiting.wait.break_off():
            rules.connector.in_turn(functools.partial(waiting.wait.give_up, errno.EINTR))


def _is_interrupted(listener: int, call: Call) -> bool:
    """Tell whether the caller is to have a signal now, or is gone.

    Its answer may be "restart" only if the system is about to look at its signals. It is for those
    of its own; one to all threads goes to the first that takes it, if that one does (signal(7)).
    """
    try:
        _still_waiting(listener, call)
    except OSError:
        return True
    try:
        with open(f"/proc/{call.thread}/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            said = dict(line.split(":", 1) for line in status)
        pending = int(said["SigPnd"], 16)
        if int(said["Tgid"]) == int(said["Pid"]):
            pending |= int(said["ShdPnd"], 16)
        return bool(pending & ~int(said["SigBlk"], 16))
    except (OSError, KeyError, ValueError):  # it ends, or there is no descriptor: the next look
        return False


def _take(listener: int, rules: Rules) -> None:
    raw = bytearray(80)
    try:
        fcntl.ioctl(listener, _RECEIVE, raw)
    except OSError:  # interrupted, or the caller is gone
        return
    call = Call.parse(raw)
    act = _ACTS.get(rules.calls.get(call.number, ""))
    try:
        fd = _descriptor_of(call)
    except OSError as caught:
        # A process that nobody may trace (ssh-agent) may still learn the truth.
        _answer(listener, call, _GO_ON if act is _getsockname else caught.errno or errno.EPERM)
        return
    error = _judged(functools.partial(act or _unknown, listener, call, fd, rules))
    if error != _LATER:
        rules.connector.in_turn(functools.partial(_finish, listener, call, fd, error))


def _descriptor_of(call: Call) -> int:
    """Copy the socket that the call is about out of the process that makes it."""
    process = system.syscall(system.PIDFD_OPEN, call.thread, _PIDFD_THREAD)
    try:
        return system.syscall(system.PIDFD_GETFD, process, call.arguments[0] & 0xFFFFFFFF, 0)
    finally:
        os.close(process)


def _judged(act: Callable[[], int]) -> int:
    """Act on a copied socket; nothing that goes wrong leaves a caller without an answer."""
    try:
        return act()
    except OSError as caught:
        return caught.errno or errno.EPERM
    except Exception:
        return errno.EPERM


def _finish(listener: int, call: Call, fd: int, error: int) -> None:
    """Close a copied socket, and answer.

    Whoever closes the last copy may wait until its data is gone (SO_LINGER, socket(7)): not the
    thread that is to see the kernel end. And the caller comes second, for it may bind a new socket
    to the same place.
    """
    with contextlib.suppress(OSError):
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

    The caller may swap the descriptor, and go on with a TCP socket: Landlock judges its port once
    more, and `_listen` where it is.
    """
    if not _is_tcp(fd):
        return _GO_ON
    address = _address_of(call)
    _still_waiting(listener, call)
    candidates = addresses.to_bind(address, rules.loopback)
    bind = _bind_unshared if addresses.asks_for_any(address) else _bind_first
    error = bind(fd, address, candidates, rules.loopback)
    return errno.EADDRNOTAVAIL if error == errno.EINVAL else error


def _bind_first(
    fd: int, address: bytes, candidates: Iterable[Candidate], loopback: Loopback
) -> int:
    """Bind to the first candidate where nobody is; return 0 or the error number."""
    error = errno.EACCES
    for candidate in candidates:
        error = system.bind(fd, candidate.address)
        if error == 0:
            addresses.bound(address, candidate, loopback)
        if error != errno.EADDRINUSE:
            break
    return error


def _bind_unshared(
    fd: int, address: bytes, candidates: Iterable[Candidate], loopback: Loopback
) -> int:
    """Bind to the first that nobody has, or has just had, as Linux does when it is to choose."""
    free = (candidate for candidate in candidates if not _is_taken(candidate.number, loopback))
    with _socket(fd) as ours:
        shared = {name: ours.getsockopt(socket.SOL_SOCKET, name) for name in _SHARING}
        try:
            for name in _SHARING:
                ours.setsockopt(socket.SOL_SOCKET, name, 0)
            return _bind_first(fd, address, free, loopback)
        finally:
            for name, value in shared.items():
                ours.setsockopt(socket.SOL_SOCKET, name, value)


def _is_taken(number: int, loopback: Loopback) -> bool:
    """Tell whether a program outside listens at a number, which would hide it: the broker does.

    Where no connection may go, none goes to find out.
    """
    if number in loopback.denied:
        return True
    with socket.socket() as visitor:
        visitor.settimeout(0.1)
        return visitor.connect_ex(("127.0.0.1", number)) != errno.ECONNREFUSED


def _listen(listener: int, call: Call, fd: int, rules: Rules) -> int:
    _still_waiting(listener, call)
    if _is_tcp(fd):
        error = _bound(fd, rules.loopback)
        if error:
            return error
    with _socket(fd) as ours:
        ours.listen(min(call.arguments[1] & 0x7FFFFFFF, socket.SOMAXCONN))
    return 0


def _bound(fd: int, loopback: Loopback) -> int:
    """Bind a socket that listens without having been bound; refuse a place that is not allowed."""
    with _socket(fd) as ours:
        (host, port), family = ours.getsockname()[:2], ours.family
    if port:
        return 0 if loopback.may_listen(host, port) else errno.EACCES
    return _bind_unshared(fd, b"", addresses.any_free(family, loopback), loopback)


def _connect(listener: int, call: Call, fd: int, rules: Rules) -> int:
    may_wait = os.get_blocking(fd)  # for an answer from far away
    address = _address_of(call)
    _still_waiting(listener, call)
    if _option(fd, socket.SO_DOMAIN) == socket.AF_UNIX:
        connect = functools.partial(_connect_unix, fd, address, rules)
    else:
        led = addresses.to_connect(address, rules.loopback) if _is_tcp(fd) else address
        if led is None:
            return errno.EACCES
        connect = functools.partial(system.connect, fd, led)
    act = functools.partial(_judged, connect)

    def finish(error: int) -> None:
        _finish(listener, call, fd, _RESTART if error == errno.EINTR else error)

    if may_wait:
        wait = Wait(act, finish)
        rules.waiting.append(Waiting(call, wait))
        rules.connector.aside(wait)
    else:
        rules.connector.in_turn(lambda: finish(act()))
    return _LATER


def _getsockname(listener: int, call: Call, fd: int, rules: Rules) -> int:
    if not _is_tcp(fd):
        return _GO_ON
    with _socket(fd) as ours:
        family, (host, port) = ours.family, ours.getsockname()[:2]
    address = addresses.told(family, host, port, rules.loopback)
    if address is None:
        return _GO_ON
    _, where, length_at, *_ = call.arguments
    with rules.connector.starting:  # or one of its threads may get the number of a caller that ends
        [room] = struct.unpack("=i", _read(call.thread, length_at, 4))
        if room < 0:
            return errno.EINVAL
        _still_waiting(listener, call)
        system.write_memory(call.thread, where, address[:room])
        system.write_memory(call.thread, length_at, struct.pack("=i", len(address)))
    return 0


@contextlib.contextmanager
def _socket(fd: int) -> Iterator[socket.socket]:
    """Lend a descriptor to a socket object. Raises `OSError` for what is no socket."""
    ours = socket.socket(fileno=fd)
    try:
        yield ours
    finally:
        ours.detach()


def _is_tcp(fd: int) -> bool:
    return (
        _option(fd, socket.SO_DOMAIN) in _INET and _option(fd, socket.SO_TYPE) == socket.SOCK_STREAM
    )


def _option(fd: int, option: int) -> int:
    with _socket(fd) as ours:
        return ours.getsockopt(socket.SOL_SOCKET, option)


Act = Callable[[int, Call, int, Rules], int]
_ACTS: Mapping[str, Act] = {
    "bind": _bind,
    "connect": _connect,
    "listen": _listen,
    "getsockname": _getsockname,
}


def _address_of(call: Call) -> bytes:
    length = call.arguments[2] & 0xFFFFFFFF
    if length > _LONGEST_ADDRESS:
        raise OSError(errno.EINVAL, "address")
    return _read(call.thread, call.arguments[1], length)


def _read(thread: int, at: int, length: int) -> bytes:
    memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(memory, length, at)
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
