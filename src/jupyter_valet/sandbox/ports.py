"""Where kernels listen, so that no browser and no other kernel reaches them.

A browser sends the Jupyter cookie to every port of the host (R80), and a kernel can put a listener
of its own behind whatever port it was given for ZMQ. So those are ports that no browser connects
to: the Fetch standard's bad ports (fetch.spec.whatwg.org, "port blocking"). They are the same five
for every kernel, each at a loopback address of its own, so that a kernel can be kept from the
ports of all others, also of those that start later, by what they are called.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

KERNEL_PORTS = (6665, 6666, 6667, 6668, 6669)
"""Blocked by browsers for IRC's sake."""

LOCAL_PORTS = (10080, 6697, 6566, 5061, 5060, 4045, 3659, 1723, 1720, 1719)
"""Blocked by browsers, too: what a kernel's own programs get when they ask for any free port of the
loopback (a debugger, a scheduler of workers), at the kernel's own addresses: `launch/dynamic.py`
tells them other numbers."""

BROWSERS_REFUSE = frozenset({*KERNEL_PORTS, *LOCAL_PORTS})
"""All on the Fetch standard's list, and tried in a real browser by the tests: of the list, 4190
and 6679 are missing because Chromium 156 connects to them."""

_ATTEMPTS = 20


def free_address(is_free: Callable[[str], bool] | None = None) -> str:
    """Return a loopback address where nobody listens on the kernel ports.

    Raises `OSError` when some program listens on one of them at every address.
    """
    return _free(lambda: 1 + secrets.randbelow(254), is_free or _is_free)


def free_network(is_free: Callable[[str], bool] | None = None) -> str:
    """Return the first address of a /24 of the loopback that no other kernel has.

    A kernel's own ports are at the first, so that is where its network is seen to be taken. Raises
    `OSError` as `free_address` does.
    """
    return _free(lambda: 1, is_free or _is_free)


def _free(last: Callable[[], int], is_free: Callable[[str], bool]) -> str:
    for _ in range(_ATTEMPTS):
        network = f"127.{64 + secrets.randbelow(128)}.{secrets.randbelow(256)}"
        address = f"{network}.{last()}"
        if is_free(address):
            return address
    raise OSError(
        f"another program listens on one of the TCP ports {KERNEL_PORTS[0]} to {KERNEL_PORTS[-1]}"
    )


def _is_free(address: str) -> bool:
    for port in KERNEL_PORTS:
        try:
            with socket.socket() as attempt:
                attempt.bind((address, port))
        except OSError:
            return False
    return True
