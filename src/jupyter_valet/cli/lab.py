"""`jupyter valet lab`: JupyterLab with the lockdown profile: level L2+ where the system has it."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from ..sandbox.launch import lesser_root

PROFILE = "jupyter_server_config.py"

_VARIABLE = "JUPYTER_CONFIG_PATH"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "lab", help="open JupyterLab with the lockdown profile", description=__doc__
    )
    command.add_argument(
        "--folder",
        type=Path,
        default=Path(),
        help="the project: what JupyterLab shows (default: the working directory)",
    )
    command.add_argument(
        "--print-profile",
        action="store_true",
        help=f"print the profile's folder, for {_VARIABLE} in a set-up of your own, and stop",
    )
    command.add_argument("jupyter", nargs="*", help="arguments for JupyterLab, after --")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start JupyterLab from an empty folder of its own, and wait for its end."""
    if arguments.print_profile:
        print(profile_folder())
        return 0
    if importlib.util.find_spec("jupyterlab") is None:
        raise ModuleNotFoundError(name="jupyterlab")
    project = arguments.folder.resolve(strict=True)
    with tempfile.TemporaryDirectory(prefix="jupyter-valet-") as cwd:
        return subprocess.call(
            command("jupyterlab", project, arguments.jupyter), cwd=cwd, env=environ(os.environ)
        )


def command(module: str, project: Path, more: Sequence[str]) -> list[str]:
    """Return the command that starts a server on `project`.

    `-I`: neither the working directory nor `PYTHON*` nor the user's site folder chooses what the
    server imports (R28, R29, R62). As root, it is a root that cannot read the broker (R58).
    """
    server = [sys.executable, "-I", "-m", module, f"--ServerApp.root_dir={project}", *more]
    return [*as_lesser_root(), *server]


def as_lesser_root() -> list[str]:
    """Return what comes before a server's command: something for root, nothing for others."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return []
    return [sys.executable, "-I", "-S", "-E", lesser_root.__file__, "--"]


def environ(around: Mapping[str, str]) -> dict[str, str]:
    """Return the server's environment: the profile's folder before all other configuration."""
    folders = [str(profile_folder()), *filter(None, [around.get(_VARIABLE)])]
    return {**around, _VARIABLE: os.pathsep.join(folders)}


def profile_folder() -> Path:
    """Return where the profile is: in the wheel beside this package, in a clone in its root."""
    shipped = Path(str(resources.files("jupyter_valet") / "lockdown"))
    return (
        shipped if shipped.exists() else Path(__file__).parents[3] / "jupyter_config" / "lockdown"
    )
