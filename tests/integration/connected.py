"""Processes that connect to us, and the two ends of their connections."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

_CONNECT = """
import socket, sys
kept = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(kept.getsockname()[1], flush=True)
sys.stdin.read()
"""

Ends = tuple[tuple[str, int], tuple[str, int]]


@contextlib.contextmanager
def connected(*before: str) -> Iterator[tuple[subprocess.Popen[bytes], Ends]]:
    """Run a process that connects to us; yield it and the two ends of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = [*before, sys.executable, "-c", _CONNECT, str(listener.getsockname()[1])]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            assert process.stdin
            assert process.stdout
            with _accepted(listener, int(process.stdout.readline())) as ours:
                yield process, (ours.getpeername(), ours.getsockname())
            process.stdin.close()
            process.wait(20)


def _accepted(listener: socket.socket, port: int) -> socket.socket:
    """Return the connection from `port`: others mean whoever listened at ours before."""
    while True:
        ours, client = listener.accept()
        if client[1] == port:
            return ours
        ours.close()
