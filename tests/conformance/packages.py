"""Where the npm packages are that `make conformance` installs."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def npm() -> Path:
    """Return the folder: JUPYTER_VALET_CONFORMANCE_NPM, or what `make conformance` filled."""
    named = os.environ.get("JUPYTER_VALET_CONFORMANCE_NPM")
    folder = Path(named or REPOSITORY / "build/npm-conformance")
    if not (folder / "node_modules/@modelcontextprotocol/conformance").is_dir():
        raise RuntimeError(f"the suite is not in {folder}: run `make conformance`")
    return folder


def package(name: str) -> Path:
    """Return the folder of a package."""
    return npm() / "node_modules" / name


def node() -> Path:
    """Return Node.js as npm brought it: the suite wants a newer one than Debian has."""
    return npm() / "node_modules/node/bin/node"
