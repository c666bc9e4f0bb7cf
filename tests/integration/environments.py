"""Environments as people make them: `pip install` of the wheel, away from the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def run(*command: str | Path, timeout: float = 240, **environ: str) -> str:
    """Run a command away from the repository, for `timeout` seconds; return what it prints."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON"))}
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd="/",
        env={**kept, "PYTHONNOUSERSITE": "1", **environ},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout; return the file."""
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, REPOSITORY)
    return next(folder.glob("*.whl"))


def make_venv(folder: Path) -> Path:
    """Make an empty environment; return its interpreter."""
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *what)
