"""What a way of proving oneself must offer; each kind of credential has one of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...wire.clients import Arrival
from ..client import Client


@dataclass(frozen=True)
class Proven:
    """Whose client it is, and which."""

    principal: str
    client: Client
    since: float = 0.0
    """When its person let it in, in seconds since the epoch; 0: somebody vouches for them now."""


class Refused(Exception):
    """A credential of this kind, and not a good one: for whom, until when, or not at all."""


class Unreachable(Exception):
    """Who could tell whether it is good does not answer: not the client's fault, and not a yes."""


class Authenticator(Protocol):
    """Judges one kind of credential."""

    def knows(self, arrival: Arrival) -> bool:
        """Tell by its form whether what the client shows is of this kind."""

    async def prove(self, arrival: Arrival) -> Proven:
        """Return who it is.

        Raises `Refused`, and nothing about why leaves the broker; `Unreachable`.
        """
