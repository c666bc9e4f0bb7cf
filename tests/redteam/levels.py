"""The named set-ups that are attacked: a level is a configuration of the server, nothing else.

What a level offers is measured by the rows, never taken from here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOCKDOWN = Path(__file__).parents[2] / "jupyter_config" / "lockdown"

_STOCK = """
c.ServerApp.jpserver_extensions = {'jupyter_valet': True, 'jupyterlab': True, 'jupyter_lsp': True,
    'notebook': False, 'notebook_shim': False}
c.LabApp.expose_app_in_browser = True
"""

_STRAW = """
c.ContentsManager.allow_hidden = True
c.ValetExtension.withheld_variables = []
"""


@dataclass(frozen=True)
class Level:
    """One set-up. `column` is the column of the table that it is measured against."""

    name: str
    column: str
    words: str
    key_source: str = "passphrase"
    config: str = _STOCK
    sandbox: str = ""
    lockdown: bool = False
    arguments: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    straw: bool = False

    def start_command(self) -> list[str]:
        """Return how a person starts the server at this level."""
        return [sys.executable, "-m", "jupyter_server"]

    def start_in(self, project: Path) -> Path:
        """Return where a person is when they start it: the project's folder."""
        return project

    def unavailable(self) -> str:
        """Return why this machine or this product cannot offer the level yet, or nothing."""
        if self.sandbox:
            from jupyter_valet.server.app import ValetExtension

            if not ValetExtension.class_traits().get("sandbox"):
                return "the product has no sandbox yet (ValetExtension.sandbox)"
        if self.lockdown and not LOCKDOWN.is_dir():
            return "the product has no lockdown profile yet"
        return ""


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
        Level("L0", "L0", "as installed, where there is no keyring: a key file", "file"),
        Level("L1", "L1", "the key from a passphrase"),
        Level("L1-keyring", "L1", "the key from the system's keyring", "keyring"),
        Level("L2", "L2", "L1 with sandboxed kernels, stock server", sandbox="auto"),
        Level(
            "L2+", "L2+", "L2 with the lockdown profile", sandbox="auto", lockdown=True
        ),
        Level(
            "L2+strict",
            "L2+",
            "bubblewrap without a network, with the lockdown profile",
            sandbox="strict",
            lockdown=True,
        ),
    )
}
