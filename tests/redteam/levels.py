"""The named set-ups that are attacked: a level is a configuration of the server, nothing else.

What a level offers is measured by the rows, never taken from here.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import apart

from jupyter_valet.cli import lab
from jupyter_valet.sandbox.backends import Backend, Bubblewrap, Landlock, Unsuitable

_STOCK = """
c.ServerApp.jpserver_extensions = {'jupyter_valet': True, 'jupyterlab': True, 'jupyter_lsp': True,
    'jupyter_server_proxy': True, 'notebook': False, 'notebook_shim': False}
c.LabApp.expose_app_in_browser = True
"""

_STRAW = """
c.ContentsManager.allow_hidden = True
c.ValetExtension.withheld_variables = []

# The pages without what makes them isolated.
import jupyter_valet.server.pages.navigation as _navigation
import jupyter_valet.server.pages.headers as _headers
_navigation.shown = _navigation.pressed = _navigation.posted = lambda headers, host: None
_headers.security_headers = lambda **_: {}
import jupyter_valet.server.pages.base as _base
del _base.IsolatedPage.set_cors_headers
# Capabilities that are bound to nobody's processes.
import jupyter_valet.server.kernels as _kernels
assert _kernels._who_will_ask
_kernels._who_will_ask = lambda manager: _kernels.Peer()
c.ServerApp.allow_origin_pat = '.*'
c.ServerApp.allow_credentials = True
"""


@dataclass(frozen=True)
class Level:
    """One set-up. `column` is the column of the table that it is measured against."""

    name: str
    column: str
    words: str
    key_source: str = "passphrase"
    config: str = _STOCK
    sandbox: str = "off"
    lockdown: bool = False
    straw: bool = False
    apart: bool = False
    """Whether the broker runs as another user."""

    def start_command(self, project: Path) -> list[str]:
        """Return how a person starts the server at this level.

        The sandbox is chosen on the command line, which wins over the lockdown profile's files.
        """
        sandbox = f"--ValetExtension.sandbox={self.sandbox}"
        if self.lockdown:
            return lab.command("jupyter_server", project, [sandbox])
        return [sys.executable, "-m", "jupyter_server", sandbox]

    def start_in(self, home: Path) -> Path:
        """Return where it runs: the project's folder, or as `jupyter valet lab` has it."""
        if not self.lockdown:
            return home / "work"
        (home / "empty").mkdir(exist_ok=True)
        return home / "empty"

    def environ(self) -> dict[str, str]:
        """Return what the way of starting adds to the environment."""
        return lab.environ({}) if self.lockdown else {}

    def unavailable(self) -> str:
        """Return why this machine cannot offer the level, or nothing."""
        if self.apart and apart.folder() is None:
            return (
                "Jupyter is root here: no other user is apart from it"
                if os.geteuid() == 0
                else "only root can start the broker as another user"
            )
        backend = _BACKENDS.get(self.sandbox)
        try:
            if backend is not None:
                backend().check()
        except Unsuitable as error:
            return str(error)
        return ""


_BACKENDS: dict[str, type[Backend]] = {"landlock": Landlock, "bubblewrap": Bubblewrap}

LEVELS = {
    level.name: level
    for level in (
        Level(
            "control",
            "control",
            "positive controls: a straw man with his secret in memory, environment and a file",
            key_source="file",
            config=_STOCK + _STRAW,
            straw=True,
        ),
        Level("L0", "L0", "no sandbox, the key in a file", "file"),
        Level("L1", "L1", "no sandbox, the key from a passphrase"),
        Level("L1-keyring", "L1", "no sandbox, the key from the system's keyring", "keyring"),
        Level("L2", "L2", "L1 with kernels behind Landlock, stock server", sandbox="landlock"),
        Level("L2-bwrap", "L2", "the same with bubblewrap, no network", sandbox="bubblewrap"),
        Level("L2+", "L2+", "L2 with the lockdown profile", sandbox="landlock", lockdown=True),
        Level(
            "L2+bwrap",
            "L2+",
            "bubblewrap without a network, with the lockdown profile",
            sandbox="bubblewrap",
            lockdown=True,
        ),
        Level(
            "L3",
            "L3",
            "L2+ with the broker, and its vault, under another user",
            sandbox="landlock",
            lockdown=True,
            apart=True,
        ),
    )
}
