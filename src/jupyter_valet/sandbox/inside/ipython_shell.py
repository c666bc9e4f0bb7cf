"""What a shell does behind the wall: run `!commands`, and say how to open what is refused.

Read by `ipython_start`, in the person's environment: it uses nothing new and nothing of this
package.
"""
# ruff: noqa: PTH120

from __future__ import annotations

import codecs
import errno
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS)
SEALED = (
    "{words} Files in {path} can be changed, but none made directly in it, since programs of yours "
    "run what lies there. Use a folder below it, or start Jupyter in a folder of its own."
)
HINT = "JUPYTER_VALET_SANDBOX"


def adapt(shell: Any, started: float) -> None:
    """Run `!commands` without a pseudo-terminal, and say how to open what is refused.

    `started` is when the kernel did, in seconds of the epoch: what is newer it cannot open.
    """
    if not can_open_terminals():
        shell.system = through_pipe(shell)
    hint = os.environ.get(HINT)
    if hint and not shell.custom_exceptions:
        explain_refusals(shell, {**json.loads(hint), "started": started})


def can_open_terminals() -> bool:
    """Tell whether pseudo-terminals can be opened: without /dev/pts they cannot."""
    try:
        for fd in os.openpty():
            os.close(fd)
    except OSError:
        return False
    return True


def through_pipe(shell: Any) -> Callable[[str], None]:
    """Return what runs a `!command` and shows its output before the cell ends.

    IPython's own way without a terminal (`system_raw`) leaves the output to a thread of ipykernel's
    which may be late: what runs notebooks (papermill) is gone by then, and the output lost.
    """

    def system(command: str) -> None:
        command = shell.var_expand(command, depth=1)
        own_shell = os.environ.get("SHELL")
        output, end = os.pipe()
        try:
            process = subprocess.Popen(  # noqa: S602 - what a person asks for with "!"
                command,
                shell=True,
                executable=own_shell,
                stdout=end,
                stderr=end,
            )
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(end)
        try:
            follow(output, process)
            status = process.wait()
        except KeyboardInterrupt:
            # The command was interrupted, too: the signal is for the whole group.
            status = ended(process)
            print("\n" + shell.get_exception_only(), file=sys.stderr)
        # By IPython's convention a signal is negative; the value of the cell stays None.
        shell.user_ns["_exit_code"] = status if status <= 128 else 128 - status
        if shell.system_raise_on_error and status:
            raise subprocess.CalledProcessError(status, command)

    return system


def follow(output: int, process: Any) -> None:
    """Show what comes until the command has ended; what it left running, a thread goes on with."""
    show = codecs.getincrementaldecoder("utf-8")("replace").decode
    waiting = select.poll()
    waiting.register(output, select.POLLIN)
    going_on = False
    try:
        while not going_on:
            over = process.poll() is not None  # before the look: all that it wrote is there
            if waiting.poll(0 if over else 50):
                if not show_next(output, show):
                    return
            elif over:
                going_on = True
                threading.Thread(target=show_rest, args=(output, show), daemon=True).start()
    finally:
        if not going_on:
            os.close(output)


def show_next(output: int, show: Callable[[bytes, bool], str]) -> bool:
    """Show what has come; return whether more may."""
    data = os.read(output, 65536)
    sys.stdout.write(show(data, not data))
    sys.stdout.flush()
    return bool(data)


def show_rest(output: int, show: Callable[[bytes, bool], str]) -> None:
    """Show what comes from programs that outlive their command, and keep them from SIGPIPE."""
    while show_next(output, show):
        pass
    os.close(output)


def ended(process: Any) -> int:
    """End a command that was interrupted; return the status that shells give that."""
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return 130


def explain_refusals(shell: Any, facts: dict[str, Any]) -> None:
    """Add to an error that is a refusal what refused it, and the configuration that would not."""

    def show(shell: Any, kind: Any, value: Any, traceback: Any, tb_offset: Any = None) -> None:
        note = words_for(value, facts) if value.errno in REFUSALS else ""
        if note and hasattr(value, "add_note"):
            value.add_note(note)
            note = ""
        shell.showtraceback((kind, value, traceback), tb_offset=tb_offset)
        if note:
            sys.stderr.write(note + "\n")

    shell.set_custom_exc((OSError,), show)


def words_for(error: OSError, facts: dict[str, Any]) -> str:
    """Return what to do about a refused access."""
    name = error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if not isinstance(name, str) or not name:
        return "{words} What may be opened: docs/sandbox.md, {setting}.".format(**facts)
    path = os.path.realpath(name)
    made = made_at(path)
    if made is None:
        kind, path = "write", os.path.dirname(path)
    else:
        kind = "write" if made and is_readable(path) else "read"
    if kind == "write" and path in facts.get("sealed", ()):
        return SEALED.format(path=path, **facts)
    if kind == "read" and (made or 0) > facts["started"]:
        return "{words} It is newer than this kernel: restart the kernel.".format(**facts)
    opening = repr(kind + ":" + path)
    return "{words} To open it: {setting}.append({opening}), then restart Jupyter.".format(
        opening=opening, **facts
    )


def made_at(path: str) -> float | None:
    """Return when `path` last became what it is: 0 when it is hidden, None when it is not there."""
    try:
        return os.stat(path).st_ctime  # noqa: PTH116
    except PermissionError:
        return 0
    except OSError:
        return None


def is_readable(path: str) -> bool:
    """Tell whether `path` can be opened for reading."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True
