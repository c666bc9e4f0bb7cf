"""Whether this machine lets an ordinary process make a view of the file system of its own.

Settings of the system decide (user namespaces, AppArmor, the container), so it is tried.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import view
from .backends.base import launcher, unnamed_file
from .launch.plan import LaunchPlan
from .policy import Mode, Policy
from .workspace import Workspaces

_SECONDS = 20
_TRY = """
import os, sys
project, hidden, kept = sys.argv[1:]

def refused(path, flags):
    try:
        os.close(os.open(path, flags, 0o600))
    except OSError:
        return True
    return False

assert refused(hidden + "/canary", os.O_RDONLY) and refused(hidden, os.O_RDONLY)
assert refused(kept + "/canary", os.O_WRONLY) and not refused(kept + "/canary", os.O_RDONLY)
assert refused(kept + "/new", os.O_WRONLY | os.O_CREAT)
assert not refused(project + "/new", os.O_WRONLY | os.O_CREAT)
for path in (hidden, kept, kept + "/canary"):
    try:
        os.chmod(path, 0o777)
    except OSError:
        continue
    raise AssertionError(path)
for path in (hidden, kept):
    try:
        os.rename(path, path + ".away")
    except OSError:
        continue
    raise AssertionError(path)
"""


def view_holds() -> bool:
    """Try it, in a folder of its own; takes some tenths of a second."""
    with contextlib.suppress(OSError, subprocess.SubprocessError), Workspaces() as workspaces:
        workspace = workspaces.make()
        project, modes = _project(workspace.path)
        policy = Policy({"/": Mode.READ, str(workspaces.base): Mode.HIDDEN, **modes}, home="/none")
        command = [sys.executable, "-I", "-S", "-c", _TRY, *modes]
        mounts = view.mounts(policy, workspace)
        return _ends_well(LaunchPlan(mounts=mounts), command, project)
    return False


def _project(folder: Path) -> tuple[Path, dict[str, Mode]]:
    project = folder / "project"
    for name in ("hidden", "kept"):
        (project / name).mkdir(parents=True)
        (project / name / "canary").touch()
    return project, {
        str(project): Mode.WRITE,
        str(project / "hidden"): Mode.HIDDEN,
        str(project / "kept"): Mode.READ,
    }


def _ends_well(plan: LaunchPlan, command: Sequence[str], cwd: Path) -> bool:
    told = unnamed_file(plan.to_bytes())
    try:
        done = subprocess.run(
            [*launcher(told), *command],
            pass_fds=[told],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    finally:
        os.close(told)
    return done.returncode == 0
