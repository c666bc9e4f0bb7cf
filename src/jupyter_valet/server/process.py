"""Starting a child process of ours and reading what it says on standard error."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import site
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from . import environment

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_LEVELS = {
    "D": logging.DEBUG,
    "I": logging.INFO,
    "W": logging.WARNING,
    "E": logging.ERROR,
    "C": logging.CRITICAL,
}


def python_module(module: str) -> list[str]:
    """Return the command that runs a module of this package in an isolated interpreter.

    `-I` leaves out the user's site directory; when that is where this package is installed, the
    same isolation is asked for without it.
    """
    flags = ["-E", "-P"] if _in_user_site() else ["-I"]
    return [sys.executable, *flags, "-m", module]


def _in_user_site() -> bool:
    user_site = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    return bool(user_site) and Path(__file__).is_relative_to(user_site)


def bind_loopback() -> socket.socket | None:
    """Bind the broker's listening socket, or return None where a child cannot inherit it.

    It listens already: calls that come while no broker runs wait in its queue.
    """
    if sys.platform == "win32":
        return None
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def spawn(
    command: Sequence[str],
    *,
    cwd: str,
    environ: Mapping[str, str],
    listener: socket.socket | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child with pipes for its three streams; only `listener` is inherited.

    It gets a session of its own, so that Ctrl-C in the terminal does not reach it: it ends when its
    standard input does, which is also what happens when this server is killed.
    """
    windows = sys.platform == "win32"
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment.for_broker(environ),
        pass_fds=() if windows or listener is None else (listener.fileno(),),
        start_new_session=not windows,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def pump_stderr(process: subprocess.Popen[bytes], log: Log) -> None:
    """Copy what `process` writes to standard error into `log`, in a thread, until it ends."""
    assert process.stderr is not None
    threading.Thread(
        target=_pump, args=(process.stderr, log), daemon=True, name="valet-stderr"
    ).start()


def _pump(stream: IO[bytes], log: Log) -> None:
    level = logging.INFO
    with contextlib.suppress(OSError, ValueError), stream:
        for line in stream:
            text = line.decode(errors="replace").rstrip()
            # "[W valet-broker] …": a line without it continues the one before (a traceback).
            if text[:1] == "[" and text[2:3] == " ":
                level = _LEVELS.get(text[1], level)
            log.log(level, "%s", text)


async def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Wait until the child ends, which it does when its standard input closes.

    After `patience` seconds it is asked to stop, after as many again it is killed.
    """
    for stop in (process.terminate, process.kill):
        try:
            await asyncio.to_thread(process.wait, patience)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                stop()
        else:
            return
    await asyncio.to_thread(process.wait)


def own_cwd(state_dir: Path) -> str:
    """Return a working directory that no kernel starts in: the root, or the state folder."""
    return os.sep if sys.platform != "win32" else str(state_dir)
