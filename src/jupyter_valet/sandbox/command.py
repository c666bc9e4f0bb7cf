"""A kernel's command line, made safe to run in a folder that kernels write to.

`python -m ipykernel_launcher` puts the working directory first on the path, so a file of that name
in the notebook's folder runs in its place (R63, R65). The start-up file of ours does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

IPYTHON_START = Path(__file__).parent / "inside" / "ipython_start.py"

_PYTHON = re.compile(r"(?:pythonw?|pypy)(?:\d+(?:\.\d+)*)?\Z")
_IPYKERNEL = ("ipykernel_launcher", "ipykernel")
_TAKES_VALUE = ("-W", "-X")


def safe(command: Sequence[str]) -> list[str]:
    """Return `command`, started so that no file of the working directory stands in for a module.

    Only Python's `-m` needs a change; a command that is not Python's is returned as it is.
    """
    words = list(command)
    if not words or not _PYTHON.match(Path(words[0]).name):
        return words
    at = _module_option(words)
    if at is None:
        return words
    if words[at + 1] in _IPYKERNEL:
        return [*words[:at], str(IPYTHON_START), *words[at + 2 :]]
    return [words[0], "-I", *words[1:]]


def _module_option(words: list[str]) -> int | None:
    """Return where `-m` stands among the interpreter's options."""
    at = 1
    while at < len(words) - 1:
        if words[at] == "-m":
            return at
        if not words[at].startswith("-") or words[at] in {"-", "-c"}:
            return None
        at += 2 if words[at] in _TAKES_VALUE else 1
    return None
