"""What ties a capability to a kernel's processes, from what the server said of them."""

from __future__ import annotations

import os
import sys

import anyio
import anyio.to_thread

from ...wire.processes import Peer, machine
from .family import Family
from .sockets import Address, inode_of

WAIT_SECONDS = 10.0
"""How long a kernel that asks before the server has told its process is kept waiting."""

LOOKS_AT_ONCE = 4
"""Looks at one kernel's processes under way at a time: it must not hold up the others."""

UNSAID = "this system does not say whose a connection is"
ELSEWHERE = "the broker does not see the kernel's processes"
FORBIDDEN = "the broker may not look at the kernel's processes"


class Binding:
    """Who may show one capability. It is told the process once, or at the start."""

    def __init__(self, peer: Peer) -> None:
        self._looks = anyio.CapacityLimiter(LOOKS_AT_ONCE)
        self._told: anyio.Event | None = anyio.Event() if peer.awaited else None
        self._peer = peer
        self.unbound = "" if peer.awaited else unbound(peer)
        """Why everybody may show it who knows it, in words; empty when it is bound."""

    def tell(self, peer: Peer) -> None:
        """Take the process that the server has started."""
        self._peer, self.unbound = peer, unbound(peer)
        if self._told is not None:
            self._told.set()

    async def admits(self, client: Address, server: Address) -> bool:
        """Tell whether a connection, by its two ends, is one of those that may."""
        if self._told is not None:
            with anyio.move_on_after(WAIT_SECONDS):
                await self._told.wait()
        if self._peer.awaited:
            return False
        if self.unbound:
            return True
        return await anyio.to_thread.run_sync(
            belongs, self._peer, client, server, limiter=self._looks
        )


def belongs(peer: Peer, client: Address, server: Address) -> bool:
    """Tell whether the client's end of a connection is in one of the processes that are meant."""
    if peer.address and client[0] != peer.address:
        return False
    inode = inode_of(client, server)
    return bool(inode) and family_of(peer).has(inode)


def family_of(peer: Peer) -> Family:
    """Return the processes that are meant."""
    return Family(peer.pid, peer.started, alone=bool(peer.address))


def unbound(peer: Peer) -> str:
    """Return why a process that was told binds nothing here; empty when it does.

    A process that has ended binds, and nobody is it.
    """
    if sys.platform != "linux" or not peer.pid:
        return UNSAID
    if peer.machine != machine():
        return ELSEWHERE
    try:
        os.listdir(f"/proc/{peer.pid}/fd")  # noqa: PTH208
    except PermissionError:
        return FORBIDDEN
    except OSError:
        return "" if _has_ended(peer.pid) else FORBIDDEN
    return ""


def _has_ended(pid: int) -> bool:
    """Tell an ended process from one that is hidden (`hidepid`)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
