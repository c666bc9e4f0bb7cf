"""An environment of the person's own, in which they type Jupyter's commands (R68)."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from victim import World


def python(world: World) -> Path:
    """Return its interpreter; at levels with the lockdown, that of the commands is installed."""
    home = world.home / "environment"
    interpreter = home / "bin" / "python"
    if interpreter.exists():
        return interpreter
    venv.EnvBuilder(symlinks=True, with_pip=False).create(home)
    packages = sysconfig.get_path("purelib", vars={"base": str(home)}, scheme="venv")
    # The packages of the harness's environment, behind this one's own.
    behind = [path for path in sys.path if path.endswith("site-packages") or path.endswith("/src")]
    (Path(packages) / "behind.pth").write_text("\n".join(behind) + "\n")
    if world.level.lockdown:
        install = ["-I", "-m", "jupyter_valet.cli", "lockdown", "--install"]
        subprocess.run([interpreter, *install], check=True, capture_output=True)
    return interpreter


def nbconvert(world: World) -> list[str]:
    """Return `jupyter nbconvert`, as its console script runs it."""
    script = Path(sysconfig.get_path("scripts"), "jupyter-nbconvert")
    return [str(python(world)), str(script), "--to", "html", "plain.ipynb"]
