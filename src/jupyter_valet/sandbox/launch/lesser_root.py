"""Become a command as a root that cannot read other processes' memory, nor the kernel's.

    python -I -S -E …/lesser_root.py -- command argument …

For a Jupyter server that root starts: code in the server then meets a hardened broker as an
ordinary user's would (R58). Files are as open to it as before.
"""

from __future__ import annotations

import contextlib
import os
import sys

# The standard library stays first: from there on only this package is found.
sys.path.append(os.path.realpath(__file__).rsplit("/", 4)[0])

from jupyter_valet.sandbox.launch import system

READERS = {
    "CAP_SYS_MODULE": 16,
    "CAP_SYS_RAWIO": 17,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
    "CAP_CHECKPOINT_RESTORE": 40,
}
"""Capabilities that open other processes or the kernel (capabilities(7))."""


def main(arguments: list[str]) -> None:
    """Give them up and run the command in `arguments`; does not return."""
    if len(arguments) < 2 or arguments[0] != "--":
        raise SystemExit("usage: lesser_root.py -- command …")
    for number in READERS.values():
        with contextlib.suppress(OSError):  # unknown here, or given up already
            system.prctl(system.PR_CAPBSET_DROP, number)
    # An exec as root gives back all of the bounding set, and no more.
    os.execvp(arguments[1], arguments[1:])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
