"""Is a person here who can press a button? Measured from the shell, without importing IPython."""

from __future__ import annotations

import sys
from typing import Any


def shell() -> Any:
    """Return the running IPython shell, or None in a plain script."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def in_notebook() -> bool:
    """Tell whether output goes to a front end that shows more than text."""
    return getattr(shell(), "kernel", None) is not None


def attended() -> bool:
    """Tell whether somebody can answer.

    nbclient, papermill and nbconvert run cells with `allow_stdin` false: nobody is there. In a
    terminal or a script the person reads the URL.
    """
    kernel = getattr(shell(), "kernel", None)
    return kernel is None or getattr(kernel, "_allow_stdin", True) is not False


def buttons_arrive() -> bool:
    """Tell whether a click on a widget can reach this kernel while a cell runs.

    It needs kernel subshells (ipykernel 7, JEP 91); an older kernel gets it after the cell.
    """
    kernel = getattr(shell(), "kernel", None)
    return bool(getattr(kernel, "_supports_kernel_subshells", False))
