"""Attacks, tried by a process that may or may not be behind the wall: `attempts.py TARGETS`.

Prints a JSON object of attempt to `null` (it worked), the error that stopped it, or `?` and why
nobody knows. The same script
runs without a wall first: an attack that fails there, too, proves nothing. Every attempt is one
that leaves nothing behind. Row ids are those of docs/threat-model.md.
"""
# ruff: noqa: PTH101, PTH104, PTH108, PTH110, PTH115, PTH120, PTH123, SIM115

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import platform
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_MPTCP = 262
_FASTOPEN = 0x20000000
_X86 = platform.machine() == "x86_64"
ATTEMPTS: dict[str, Callable[[Any], None]] = {}


def attempt(name: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register an attack; it must raise when it is stopped."""

    def register(function: Callable[[Any], None]) -> Callable[[Any], None]:
        ATTEMPTS[name] = function
        return function

    return register


def call(x86_64: int, aarch64: int, *arguments: Any) -> int:
    """Make a system call by number; raise `OSError` when it fails."""
    words = [ctypes.c_ulong(a & (2**64 - 1)) if isinstance(a, int) else a for a in arguments]
    result = int(_libc.syscall(ctypes.c_long(x86_64 if _X86 else aarch64), *words))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def in_child(code: str) -> str:
    """Run Python code in a child: what it does may kill it. Raise when it did not end well."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=20
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise OSError(0, said[-1] if said else f"ended by {done.returncode}")
    return done.stdout


# -- what a process starts with: first, before anything is opened --------------------------------


@attempt("R45 inherited descriptors")
def _(t: Any) -> None:
    os.fstat(t["descriptor"])


# -- files ----------------------------------------------------------------------------------------


@attempt("R01 read a hidden file")
def _(t: Any) -> None:
    open(t["hidden"], "rb").read()


@attempt("R17 read it through the root of another process")
def _(t: Any) -> None:
    open(f"/proc/{t['victim']}/root{t['hidden']}", "rb").read()


@attempt("R43 replace a hidden file")
def _(t: Any) -> None:
    os.link(t["hidden"], t["hidden"] + ".2")
    os.unlink(t["hidden"] + ".2")


@attempt("R43 write to a hidden file")
def _(t: Any) -> None:
    os.close(os.open(t["hidden"], os.O_WRONLY | os.O_APPEND))


@attempt("R28 write where the server runs code from")
def _(t: Any) -> None:
    os.close(os.open(t["protected"], os.O_WRONLY | os.O_APPEND))


@attempt("R28 put a file where the server runs code from")
def _(t: Any) -> None:
    path = os.path.dirname(t["protected"]) + f"/planted-{os.getpid()}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)


@attempt("R01 read a hidden file in a writable folder")
def _(t: Any) -> None:
    open(t["inner_hidden"], "rb").read()


@attempt("R28 write to a protected file in a writable folder")
def _(t: Any) -> None:
    os.close(os.open(t["inner_protected"], os.O_WRONLY | os.O_APPEND))


@attempt("R28 put another folder in its place")
def _(t: Any) -> None:
    _renamed(os.path.dirname(t["inner_protected"]))


@attempt("R28 put another folder in place of the one above it")
def _(t: Any) -> None:
    _renamed(os.path.dirname(os.path.dirname(t["inner_protected"])))


def _renamed(path: str) -> None:
    os.rename(path, path + ".away")
    os.rename(path + ".away", path)


@attempt("R38 change the mode of a hidden file")
def _(t: Any) -> None:
    os.chmod(t["hidden"], 0o600)


@attempt("R38 change the mode of a hidden file in a writable folder")
def _(t: Any) -> None:
    os.chmod(t["inner_hidden"], 0o600)


@attempt("R38 change the mode of a protected file")
def _(t: Any) -> None:
    os.chmod(t["protected"], 0o600)


@attempt("R38 change the times of a protected file")
def _(t: Any) -> None:
    os.utime(t["protected"])


@attempt("R37 read a terminal of the person")
def _(t: Any) -> None:
    os.close(os.open(t["terminal"], os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))


# -- other processes ------------------------------------------------------------------------------


@attempt("R03 environment of another process")
def _(t: Any) -> None:
    if not open(f"/proc/{t['victim']}/environ", "rb").read():
        raise OSError(0, "empty")


@attempt("R11 memory map of another process")
def _(t: Any) -> None:
    if not open(f"/proc/{t['victim']}/maps").read():
        raise OSError(0, "empty")


@attempt("R11 memory of another process")
def _(t: Any) -> None:
    with open(f"/proc/{t['victim']}/mem", "rb", buffering=0) as memory:
        memory.seek(t["address"])
        memory.read(8)


@attempt("R12 process_vm_readv")
def _(t: Any) -> None:
    here = ctypes.create_string_buffer(8)
    local = struct.pack("QQ", ctypes.addressof(here), 8)
    call(310, 270, t["victim"], local, 1, struct.pack("QQ", t["address"], 8), 1, 0)


@attempt("R13 ptrace")
def _(t: Any) -> None:
    call(101, 117, 16, t["victim"], 0, 0)  # PTRACE_ATTACH
    os.waitpid(t["victim"], 0x40000000)
    call(101, 117, 17, t["victim"], 0, 0)  # PTRACE_DETACH


@attempt("R15 take a descriptor of another process")
def _(t: Any) -> None:
    process = os.pidfd_open(t["victim"])
    os.close(call(438, 438, process, 0, 0))


@attempt("X17 memory of whatever process there is")
def _(t: Any) -> None:
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208
        if int(name) != os.getpid() and _has_memory(name):
            with contextlib.suppress(OSError):
                os.close(os.open(f"/proc/{name}/mem", os.O_RDWR))
                return
    raise OSError(errno.EACCES, "no process can be opened")


def _has_memory(process: str) -> bool:
    """Tell whether it is a program's: that of Linux's own threads opens, and is none."""
    try:
        with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as status:
            return "VmSize" in status.read()
    except OSError:
        return False


@attempt("R16 descriptors of another process")
def _(t: Any) -> None:
    os.readlink(f"/proc/{t['victim']}/fd/1")


@attempt("R39 limits of another process")
def _(t: Any) -> None:
    resource.prlimit(t["victim"], resource.RLIMIT_CORE)


@attempt("R40 signal another process")
def _(t: Any) -> None:
    os.kill(t["victim"], signal.SIGCONT)


# -- UNIX sockets ---------------------------------------------------------------------------------


@attempt("R08 connect to a UNIX socket by its path")
def _(t: Any) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(t["path_socket"])


@attempt("R08 connect to it by a relative path")
def _(t: Any) -> None:
    folder, _, name = t["path_socket"].rpartition("/")
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(name)


@attempt("R08 send a datagram to a UNIX socket")
def _(t: Any) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(b".", t["path_datagram"])


@attempt("R08 send a datagram from a socket pair")
def _(t: Any) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendto(b".", t["path_datagram"])


@attempt("R09 connect to an abstract UNIX socket")
def _(t: Any) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect("\0" + t["abstract_socket"])


@attempt("R06 system calls of another architecture")
def _(t: Any) -> None:
    if not _X86:
        raise OSError(0, "tried on x86_64 only")
    in_child(
        "import ctypes, mmap\n"
        "page = mmap.mmap(-1, 4096, prot=7)\n"
        "page.write(bytes.fromhex('b814000000cd80c3'))\n"  # mov eax, getpid; int 0x80; ret
        "at = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "assert ctypes.CFUNCTYPE(ctypes.c_int)(at)() > 0"
    )


@attempt("R07 io_uring")
def _(t: Any) -> None:
    os.close(call(425, 425, 1, bytes(120)))


# -- the network ----------------------------------------------------------------------------------


def _tcp(protocol: int = 0) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    client.settimeout(5)
    return client


@attempt("R47 connect to Jupyter's port")
def _(t: Any) -> None:
    with _tcp() as client:
        client.connect(("127.0.0.1", t["port"]))


@attempt("R47 connect without waiting")
def _(t: Any) -> None:
    with socket.socket() as client:
        client.setblocking(False)
        error = client.connect_ex(("127.0.0.1", t["port"]))
        if error not in (0, 115):
            raise OSError(error, os.strerror(error))
        select.select([], [client], [], 5)
        client.getpeername()


@attempt("R47 connect over IPv6 to an IPv4 address")
def _(t: Any) -> None:
    with socket.socket(socket.AF_INET6) as client:
        client.settimeout(5)
        client.connect(("::ffff:127.0.0.1", t["port"]))


@attempt("R47 connect by MPTCP")
def _(t: Any) -> None:
    with _tcp(_MPTCP) as client:
        client.connect(("127.0.0.1", t["port"]))


@attempt("R47 connect by TCP Fast Open")
def _(t: Any) -> None:
    with socket.socket() as client:
        client.sendto(b".", _FASTOPEN, ("127.0.0.1", t["port"]))
        client.getpeername()


@attempt("R34 connect to another kernel's port")
def _(t: Any) -> None:
    with _tcp() as client:
        client.connect((t["kernel_address"], t["kernel_port"]))


@attempt("R34 connect to what runs in another kernel")
def _(t: Any) -> None:
    with _tcp() as client:
        client.connect((t["kernel_address"], t["local_port"]))


@attempt("R80 listen on a port of its own")
def _(t: Any) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        _reachable(server, t)


@attempt("R80 listen without binding")
def _(t: Any) -> None:
    with socket.socket() as server:
        server.listen()
        _reachable(server, t)


@attempt("R80 listen by MPTCP")
def _(t: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, _MPTCP) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        _reachable(server, t)


class Unclear(Exception):
    """The attempt could not be made: neither a success nor a defence."""


def _places(server: socket.socket) -> list[tuple[str, int]]:
    """Return where it listens: as this process is told, and as the system's own table says."""
    mine = str(os.fstat(server.fileno()).st_ino)
    found = [server.getsockname()]
    with open("/proc/self/net/tcp") as table:
        for words in map(str.split, table):
            if words[9] == mine:
                host, port = words[1].split(":")
                found.append((socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)))
    return found


def _reachable(server: socket.socket, t: Any) -> None:
    """Raise unless the prober, who stands where a browser does, can connect."""
    told = t["rendezvous"]
    with open(told + ".new", "w") as file:
        file.writelines(f"{host} {port}\n" for host, port in _places(server))
    os.rename(told + ".new", told)
    deadline = time.monotonic() + 10
    while os.path.exists(told):  # the prober removes it when it has tried
        if time.monotonic() > deadline:
            raise Unclear("nobody tried")
        time.sleep(0.01)
    server.settimeout(0.2)
    server.accept()[0].close()


# -- privileges -----------------------------------------------------------------------------------


@attempt("R41 a user namespace")
def _(t: Any) -> None:
    in_child(f"import ctypes\nassert ctypes.CDLL(None).unshare({0x10000000}) == 0")


@attempt("R46 the system's keyring")
def _(t: Any) -> None:
    call(250, 219, 0, -4 & 0xFFFFFFFF, 0)  # KEYCTL_GET_KEYRING_ID of the user's


@attempt("R48 raw packets")
def _(t: Any) -> None:
    socket.socket(17, socket.SOCK_RAW).close()


@attempt("R49 load a BPF program")
def _(t: Any) -> None:
    code = struct.pack("BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)
    kept, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    where = (2, ctypes.addressof(kept), ctypes.addressof(licence))
    os.close(call(321, 280, 5, struct.pack("IIQQ", 1, *where).ljust(128, b"\0"), 128))


@attempt("R50 become another user")
def _(t: Any) -> None:
    in_child("import os\nos.setgroups([])\nos.setuid(65534)")


@attempt("R02 the server's environment")
def _(t: Any) -> None:
    if t["variable"] not in os.environ:
        raise OSError(0, "not there")


def main(targets: Any) -> dict[str, str | None]:
    """Try everything; return what stopped each attempt."""
    seen: dict[str, str | None] = {}
    for name, function in ATTEMPTS.items():
        try:
            function(targets)
            seen[name] = None
        except Unclear as error:
            seen[name] = f"?{error}"
        except Exception as error:
            seen[name] = f"{type(error).__name__}: {error}"[:200]
    return seen


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as _file:
        _targets = json.load(_file)
    print(json.dumps(main(_targets)))
