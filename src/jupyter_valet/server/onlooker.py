"""The server looks at kernels' processes for a broker that may not, being another user (R59).

It started them, so it may look, and it minted the capabilities, so it is believed. It looks at the
processes that it told the broker itself, and at no other.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from ..wire import control
from ..wire.errors import ValetError
from ..wire.family import family_of
from ..wire.processes import Peer


class Onlooker:
    """Answers what the broker asks. `told` returns whose processes it was told."""

    def __init__(self, told: Callable[[], Container[Peer]]) -> None:
        self._told = told

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer a question of the broker's; any thread may call it.

        Raises `ValetError` ("bad_request"), and `TypeError`, `ValueError` or `KeyError` where
        `params` are not what they should be.
        """
        if method != control.PEER_HOLDS:
            raise ValetError("bad_request", what="the server does not answer this")
        peer, inode = Peer.from_json(params["peer"]), int(params["inode"])
        return {"holds": peer in self._told() and family_of(peer).has(inode)}
