"""`jupyter valet demo`: JupyterLab on the quickstart, with the demo provider beside it."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

NOTEBOOK = "quickstart.ipynb"
"""The one that is opened."""

NOTEBOOKS = (NOTEBOOK, "your-api.ipynb", "tools-in-the-notebook.ipynb", "agents.ipynb")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "demo", help="open the quickstart in JupyterLab", description=__doc__
    )
    command.add_argument(
        "--folder",
        type=Path,
        default=Path("valet-demo"),
        help="where the notebooks are copied to; a copy that is there stays (default: %(default)s)",
    )
    command.add_argument("jupyter", nargs="*", help="arguments for JupyterLab, after --")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Copy the notebooks and start JupyterLab on it."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise ModuleNotFoundError(name="jupyterlab")
    notebook = copy_notebooks(arguments.folder)
    return subprocess.call(command(notebook, arguments.jupyter))


def copy_notebooks(folder: Path) -> Path:
    """Put the notebooks into `folder` unless they are there; return the quickstart's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NOTEBOOKS:
        target = folder / name
        if not target.exists():
            shutil.copyfile(shipped(name), target)
    return (folder / NOTEBOOK).resolve()


def shipped(name: str) -> Path:
    """Return a shipped notebook: in the wheel it is beside the demo, in a clone in notebooks/."""
    found = Path(str(resources.files("jupyter_valet.demo") / name))
    return found if found.exists() else Path(__file__).parents[3] / "notebooks" / name


def command(notebook: Path, more: list[str]) -> list[str]:
    """Return the command that opens `notebook`; it names the extension, so it needs no config."""
    return [
        *(sys.executable, "-m", "jupyterlab"),
        "--ServerApp.jpserver_extensions=jupyter_valet=True",
        "--ValetExtension.demo=True",
        f"--ServerApp.root_dir={notebook.parent}",
        f"--LabApp.default_url=/lab/tree/{notebook.name}",
        *more,
    ]
