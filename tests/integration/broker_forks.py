"""Brokers that are forked from one process that has loaded the broker's modules, and done no more.

Loading them takes over a second of a processor, which is most of what a test with a broker of its
own costs. A fork is a process like any other: it hardens itself, opens its own vault, knows nothing
of its siblings and ends with its channel. Whatever concerns the start itself, its arguments or
crashes is tested with `BrokerProcess`, which starts an interpreter.

As a program (`broker_forks.py FD`) this file is the process that is forked.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NoReturn

POSSIBLE = sys.platform == "linux"
"""Elsewhere nobody but the parent learns of a process's end."""


class Fork:
    """As much of `subprocess.Popen` as the tests use, for a process that is not a child of ours."""

    def __init__(self, environ: dict[str, str], keep: int) -> None:
        """Start a broker with this environment, in which the descriptor `keep` has its number."""
        self.returncode: int | None = None
        self._end, theirs = socket.socketpair()
        with ExitStack() as given:
            given.callback(theirs.close)
            pipes = [os.pipe() for _ in range(3)]
            (stdin, self._to), (self._from, stdout), (self._said, stderr) = pipes
            for one in (stdin, stdout, stderr):
                given.callback(os.close, one)
            request = json.dumps({"environ": environ, "keep": keep}).encode()
            fds = [stdin, stdout, stderr, theirs.fileno(), keep]
            socket.send_fds(_parent(), [request], fds)
        self.stdin: IO[bytes] = os.fdopen(self._to, "wb")
        self.stdout: IO[bytes] = os.fdopen(self._from, "rb")
        self.stderr: IO[bytes] = os.fdopen(self._said, "rb")
        self.pid = int(self._end.recv(32))

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit status, negative after a signal."""
        if self.returncode is None:
            self._end.settimeout(timeout)
            try:
                self.returncode = int(self._end.recv(32))
            except TimeoutError:
                raise subprocess.TimeoutExpired("a broker", timeout or 0) from None
            self._end.close()
        return self.returncode

    def kill(self) -> None:
        """kill -9."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


@functools.cache
def _parent() -> socket.socket:
    """Start the process that is forked; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).resolve()), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ["PATH"]},
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def serve(asked: socket.socket) -> None:
    """Fork for each request, and tell of each end, until there are no more requests."""
    with selectors.DefaultSelector() as events:
        events.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in events.select():
                if key.fileobj is not asked:
                    events.unregister(key.fileobj)
                    _tell_the_end(key.fd, *key.data)
                elif not _fork(asked, events):
                    return


def _fork(asked: socket.socket, events: selectors.BaseSelector) -> bool:
    request, fds, _, _ = socket.recv_fds(asked, 65536, 5)
    if not request:
        return False
    pid = os.fork()
    if pid == 0:
        events.close()
        asked.detach()
        _become_a_broker(fds, **json.loads(request))
    end = socket.socket(fileno=fds.pop(3))
    end.send(b"%d" % pid)
    events.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, end))
    for fd in fds:
        os.close(fd)
    return True


def _tell_the_end(pidfd: int, pid: int, end: socket.socket) -> None:
    _, status = os.waitpid(pid, 0)
    os.close(pidfd)
    with end:
        end.send(b"%d" % os.waitstatus_to_exitcode(status))


def _become_a_broker(fds: list[int], environ: dict[str, str], keep: int) -> NoReturn:
    """Be what `python -I -m jupyter_valet.broker` is, with these descriptors."""
    *standard, _, listener = fds
    for number, fd in enumerate(standard):
        os.dup2(fd, number)
    os.dup2(listener, keep)
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environ)
    from jupyter_valet.broker.__main__ import main

    main()
    raise SystemExit


if __name__ == "__main__":
    import jupyter_valet.broker.process
    import jupyter_valet.broker.services  # noqa: F401

    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        serve(requests)
