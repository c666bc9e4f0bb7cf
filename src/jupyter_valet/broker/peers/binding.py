"""What ties a capability to a kernel's processes, from what the server said of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

from ...wire.family import family_of
from ...wire.processes import Peer, machine, may_look, network
from .sockets import Address, inode_of

WAIT_SECONDS = 10.0
"""How long a kernel that asks before the server has told its process is kept waiting."""

LOOKS_AT_ONCE = 4
"""Looks at one kernel's processes under way at a time: it must not hold up the others."""

UNSAID = "this system does not say whose a connection is"
ELSEWHERE = "the broker does not see the kernel's processes, and the server does not for it"
FORBIDDEN = "the broker may not look at the kernel's processes, and the server does not for it"

Ask = Callable[[Peer, int], Awaitable[bool]]
"""Asks the server whether one of the processes that are meant has the socket with this inode.

Raises `ValetError` ("server_silent") when it does not say.
"""


class Binding:
    """Who may show one capability. It is told the process once, or at the start.

    The system says which socket a connection has, and whose that is. Where the second may not be
    asked here, because the broker is another user, the server is asked: it minted the capability,
    so it gains nothing by a lie. A kernel has no way to answer in its place.
    """

    def __init__(self, peer: Peer, ask: Ask | None = None) -> None:
        self._looks = anyio.CapacityLimiter(LOOKS_AT_ONCE)
        self._told: anyio.Event | None = anyio.Event() if peer.awaited else None
        self._ask = ask
        self._asked: Ask | None = None
        self.unbound = ""
        """Why everybody may show it who knows it, in words; empty when it is bound."""
        self._take(peer)

    def tell(self, peer: Peer) -> None:
        """Take the process that the server has started."""
        self._take(peer)
        if self._told is not None:
            self._told.set()

    def _take(self, peer: Peer) -> None:
        self._peer = peer
        lack = "" if peer.awaited else unbound(peer)
        self._asked = self._ask if lack and answered_for(peer) else None
        self.unbound = "" if self._asked else lack

    async def admits(self, client: Address, server: Address) -> bool:
        """Tell whether a connection, by its two ends, is one of those that may.

        Raises `ValetError` ("server_silent") when the server had to be asked and did not say.
        """
        if self._told is not None:
            with anyio.move_on_after(WAIT_SECONDS):
                await self._told.wait()
        if self._peer.awaited:
            return False
        if self.unbound:
            return True
        if self._asked is not None:
            return await self._is_told(self._asked, client, server)
        return await anyio.to_thread.run_sync(
            belongs, self._peer, client, server, limiter=self._looks
        )

    async def _is_told(self, ask: Ask, client: Address, server: Address) -> bool:
        """Find the client's socket, and ask whose that is."""
        peer = self._peer
        async with self._looks:
            inode = await anyio.to_thread.run_sync(socket_of, peer, client, server)
            return bool(inode) and await ask(peer, inode)


def socket_of(peer: Peer, client: Address, server: Address) -> int:
    """Return the inode of the client's socket; 0 if it has none, or another address than meant."""
    if peer.address and client[0] != peer.address:
        return 0
    return inode_of(client, server)


def belongs(peer: Peer, client: Address, server: Address) -> bool:
    """Tell whether the client's end of a connection is in one of the processes that are meant."""
    inode = socket_of(peer, client, server)
    return bool(inode) and family_of(peer).has(inode)


def unbound(peer: Peer) -> str:
    """Return why the broker cannot tell a process that was told from others; empty when it can.

    A process that has ended binds, and nobody is it.
    """
    if sys.platform != "linux" or not peer.pid:
        return UNSAID
    if peer.machine != machine():
        return ELSEWHERE
    return "" if may_look(peer.pid) or _has_ended(peer.pid) else FORBIDDEN


def answered_for(peer: Peer) -> bool:
    """Tell whether the server can be asked: it looks, and its sockets are those seen from here."""
    return peer.answers and bool(peer.network) and peer.network == network()


def _has_ended(pid: int) -> bool:
    """Tell an ended process from one that is hidden (`hidepid`)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
