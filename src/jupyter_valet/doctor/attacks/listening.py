"""A listener of the kernel's own: a browser shows it the Jupyter cookie (R80)."""

import os
import socket
from pathlib import Path


def listen(t):
    """R80: whoever measures stands where a browser does, and comes to what is written."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(6)
        written = "".join(f"{host} {port}\n" for host, port in places(server))
        Path(t["ready"]).write_text(written)
        try:
            server.accept()[0].close()
        finally:
            os.unlink(t["ready"])
    return "CONTROL a browser can connect"


def places(server):
    """Return where it listens: as the kernel is told, and as the system's own table says."""
    found = [server.getsockname()]
    try:
        table = Path("/proc/self/net/tcp").read_text().splitlines()
    except OSError:  # not Linux
        return found
    for words in map(str.split, table):
        if words[9] == str(os.fstat(server.fileno()).st_ino):
            host, port = words[1].split(":")
            found.append((socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)))
    return found
