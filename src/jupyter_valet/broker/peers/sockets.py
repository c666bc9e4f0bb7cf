"""Which socket is at the other end of a TCP connection within this machine (Linux).

The system is asked for that one connection (sock_diag(7)), which takes some 25 µs whatever else is
open; where it does not answer such questions, the table of all connections is read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
from pathlib import Path

Address = tuple[str, int]

_SOCK_DIAG, _BY_FAMILY, _ERROR, _REQUEST = 4, 20, 2, 1
_ANY = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI")
_REST = struct.Struct("=III")
_INODE_AT = _HEADER.size + 4 + 48 + 4 * 4
"""`idiag_inode`: behind four bytes, the connection's own 48, and four numbers (sock_diag(7))."""

_TABLES = ("net/tcp", "net/tcp6")


def inode_of(client: Address, server: Address) -> int:
    """Return the inode of the client's socket; 0 when there is no such connection any more."""
    try:
        return _asked(client, server)
    except OSError:
        return _listed(client, server)


def _asked(client: Address, server: Address) -> int:
    """Ask for the one connection. Raises `OSError` where such questions are not answered."""
    question = (
        _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY)
        + struct.pack("!HH", client[1], server[1])
        + socket.inet_aton(client[0]).ljust(16, b"\0")
        + socket.inet_aton(server[0]).ljust(16, b"\0")
        + _REST.pack(0, _ANY, _ANY)
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as channel:
        channel.settimeout(1.0)
        size = _HEADER.size + len(question)
        channel.send(_HEADER.pack(size, _BY_FAMILY, _REQUEST, 1, 0) + question)
        answer = channel.recv(4096)
    if _HEADER.unpack_from(answer)[1] == _BY_FAMILY:
        return int.from_bytes(answer[_INODE_AT : _INODE_AT + 4], sys.byteorder)
    error = -struct.unpack_from("=i", answer, _HEADER.size)[0]
    if error == errno.ENOENT:
        return 0
    raise OSError(error, os.strerror(error))


def _listed(client: Address, server: Address, proc: Path = Path("/proc")) -> int:
    """Look for the connection in the tables of IPv4 and, for sockets of IPv6 that use it, IPv6."""
    ends = [_written(client), _written(server)]
    for table in _TABLES:
        with contextlib.suppress(OSError), (proc / table).open(encoding="ascii") as lines:
            for line in lines:
                words = line.split()
                if [word[-13:] for word in words[1:3]] == ends:
                    return int(words[9])
    return 0


def _written(address: Address) -> str:
    """Return an IPv4 address as the tables write it; inside an IPv6 one its end is the same."""
    host = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{host:08X}:{address[1]:04X}"
