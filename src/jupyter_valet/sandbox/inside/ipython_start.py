"""Start ipykernel behind the wall: `python …/ipython_start.py -f connection.json`.

Runs in the person's environment, on whatever Python that is, so it uses nothing new and imports
nothing of this package. It takes the place of `-m ipykernel_launcher`, which would look for modules
in the working directory first (R63).
"""
# ruff: noqa: PTH103, PTH120

from __future__ import annotations

import os
import site
import sys
import sysconfig
import time
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

STARTED = time.time()
OVERLAY = "JUPYTER_VALET_OVERLAY"
HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100


def main() -> None:
    """Start the kernel."""
    if sys.path[0] == HERE:
        del sys.path[0]
    use_overlay(os.environ.get(OVERLAY, ""))
    from ipykernel.kernelapp import IPKernelApp

    app: Any = IPKernelApp.instance()
    app.initialize()
    shell = getattr(app, "shell", None)
    if shell is not None:
        beside("ipython_shell").adapt(shell, STARTED)
    app.start()


def beside(name: str) -> Any:
    """Import a file of this folder, which is no place to look for a notebook's modules."""
    spec: Any = spec_from_file_location(name, os.path.join(HERE, name + ".py"))  # noqa: PTH118
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def use_overlay(overlay: str) -> None:
    """Import from the folder into which pip installs here, before everything else."""
    if not overlay:
        return
    variables = {"base": overlay, "platbase": overlay}
    # pip uses the first scheme for a prefix, Debian's pip the second.
    schemes = [name for name in ("posix_prefix", "posix_local") if name in _SCHEMES]
    paths = [sysconfig.get_paths(scheme, variables) for scheme in schemes]
    folders = list(dict.fromkeys(path[name] for path in paths for name in _LIBRARIES))
    before = list(sys.path)
    for folder in folders:
        os.makedirs(folder, exist_ok=True)
        site.addsitedir(folder)
    added = [path for path in sys.path if path not in before]
    sys.path[:] = added + before
    _put_first("PYTHONPATH", folders, "")
    _put_first("PATH", [path["scripts"] for path in paths], os.defpath)


_SCHEMES = sysconfig.get_scheme_names()
_LIBRARIES = ("purelib", "platlib")


def _put_first(name: str, folders: list[str], default: str) -> None:
    rest = os.environ.get(name) or default
    os.environ[name] = os.pathsep.join(folders + ([rest] if rest else []))


if __name__ == "__main__":
    main()
