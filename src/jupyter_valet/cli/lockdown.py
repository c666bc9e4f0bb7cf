"""`jupyter valet lockdown`: no Jupyter command runs what a notebook left in its working directory.

The lockdown of a server is `jupyter valet lab`. This is for what a person types in a project's
folder, `jupyter nbconvert` above all (R68), and is installed into the environment of this command.
"""

from __future__ import annotations

import argparse
import os
import sysconfig
from pathlib import Path

from ..wire.errors import ValetError
from .lab import profile_folder

CONFIGURATION = "jupyter_config.py"
MODULE = "_jupyter_valet_lockdown.py"
AT_START = "jupyter_valet_lockdown.pth"

_BEGIN = "# >>> jupyter-valet lockdown >>>"
_END = "# <<< jupyter-valet lockdown <<<"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "lockdown",
        help="keep Jupyter's commands from running what lies in a project's folder",
        description=__doc__,
    )
    what = command.add_mutually_exclusive_group()
    what.add_argument("--install", action="store_true", help="add it to this environment")
    what.add_argument("--remove", action="store_true", help="take it out again")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Install, remove, or say what is there; the exit status is 1 where it is missing."""
    configuration, module, at_start = places()
    others = without(_read(configuration))
    if arguments.install:
        _write(configuration, block(profile_folder() / CONFIGURATION) + others)
        _write(module, _read(profile_folder() / MODULE))
        _write(at_start, f"import {module.stem}\n")
    elif arguments.remove:
        _write(configuration, others)
        _write(at_start, "")
        _write(module, "")
    there = _BEGIN in _read(configuration) and module.exists() and at_start.exists()
    print("The lockdown of Jupyter's commands is", "on:" if there else "off:")
    for file in (configuration, module, at_start):
        print(f"  {file}")
    if not there and not arguments.remove:
        print("Turn it on with: jupyter valet lockdown --install")
    return 0 if there or arguments.remove else 1


def places() -> tuple[Path, Path, Path]:
    """Return the three files of this environment, in the order in which they are written."""
    from jupyter_core.paths import ENV_CONFIG_PATH

    packages = Path(sysconfig.get_path("purelib"))
    return Path(ENV_CONFIG_PATH[0], CONFIGURATION), packages / MODULE, packages / AT_START


def block(guard: Path) -> str:
    """Return the lines that have every Jupyter command read `guard`.

    A file that is gone, with its package, is passed over without a word (traitlets).
    """
    return f"{_BEGIN}\nload_subconfig({str(guard)!r})  # noqa: F821 - Jupyter's\n{_END}\n"


def without(text: str) -> str:
    """Return a configuration file's text without our block.

    Raises `ValetError` when the block has lost its end: what comes after it is not ours.
    """
    head, begin, rest = text.partition(_BEGIN + "\n")
    if not begin:
        return text
    _, end, tail = rest.partition(_END + "\n")
    if not end:
        raise ValetError("bad_configuration", what=f"{CONFIGURATION} lacks the line {_END!r}")
    return head + tail


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _write(file: Path, text: str) -> None:
    """Write it beside and move it there, so that nobody ever reads half; remove what is empty.

    Raises `ValetError` where this person may not.
    """
    file = Path(os.path.realpath(file))
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        if not text:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        what = f"{file} cannot be written ({error.strerror})"
        raise ValetError("bad_configuration", what=what) from None
