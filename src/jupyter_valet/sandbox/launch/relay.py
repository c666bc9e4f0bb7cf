"""A port of a private network that leads, through a UNIX socket, to the broker outside it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

from . import system
from .plan import Relay

_CHUNK = 65536


def start(relay: Relay) -> None:
    """Listen, then serve in a child process that ends with this one."""
    listener = socket.create_server(("127.0.0.1", relay.port), backlog=128)
    parent = os.getpid()
    if os.fork():
        listener.close()
        return
    try:
        system.prctl(system.PR_SET_PDEATHSIG, 9)
        system.prctl(system.PR_SET_DUMPABLE, 0)
        if os.getppid() == parent:
            _serve(listener, relay.socket)
    finally:
        os._exit(0)


def _serve(listener: socket.socket, path: str) -> None:
    while True:
        inside, _ = listener.accept()
        threading.Thread(target=_join, args=(inside, path), daemon=True).start()


def _join(inside: socket.socket, path: str) -> None:
    with contextlib.suppress(OSError), inside, socket.socket(socket.AF_UNIX) as outside:
        outside.connect(path)
        back = threading.Thread(target=_copy, args=(outside, inside), daemon=True)
        back.start()
        _copy(inside, outside)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
