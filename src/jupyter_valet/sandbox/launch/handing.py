"""How a kernel's filter gets to its supervisor: the latter copies the descriptor out of the former.

Through a socket it would be easier, and importing `socket` would take a third of a launcher's time.
"""

from __future__ import annotations

import os

from . import system


class Handing:
    """Two pipes: the kernel says which descriptor it is, the supervisor that it has it."""

    def __init__(self) -> None:
        """Make them, before the fork that parts the two. Raises `OSError`."""
        self._says, self._said = os.pipe()
        self._waits, self._has = os.pipe()

    def over(self, fd: int) -> None:
        """Hand `fd` over, in the kernel's process. Raises `OSError` when nobody takes it."""
        os.close(self._says)
        os.close(self._has)
        system.prctl(system.PR_SET_DUMPABLE, 1)  # as it will be once it is a kernel
        os.write(self._said, str(fd).encode())
        if not os.read(self._waits, 1):
            raise OSError("there is no supervisor")

    def take(self, process: int) -> int:
        """Return a copy of what `process` hands over, -1 if it ends instead. Raises `OSError`."""
        os.close(self._said)
        os.close(self._waits)
        number = os.read(self._says, 16)
        os.close(self._says)
        if not number:
            return -1
        above = os.pidfd_open(process)
        try:
            fd = system.syscall(system.PIDFD_GETFD, above, int(number), 0)
        finally:
            os.close(above)
        os.write(self._has, b".")
        os.close(self._has)
        return fd
