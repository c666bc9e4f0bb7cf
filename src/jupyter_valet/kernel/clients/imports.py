"""Libraries of the person's environment, imported when they are needed and not before."""

from __future__ import annotations

import importlib
from typing import Any

from ...wire.errors import ValetError


def imported(module: str, package: str = "") -> Any:
    """Return a module. Raises `ValetError` ("no_library") naming the package to install."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValetError("no_library", library=package or module) from None
