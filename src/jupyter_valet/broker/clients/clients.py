"""From what a client shows to who calls, or to the refusal that tells it how to come in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ...wire.clients import Arrival
from ..kernels import Caller
from ..refusal import Refusal
from .authenticator import Authenticator, Proven, Refused, Unreachable
from .scopes import INITIAL


class Clients:
    """All kinds of credentials. Deny by default: what no kind knows is refused (RS-06, BP-08).

    `lasts` tells whether what a person let in at a time is good still (`Admissions`).
    """

    def __init__(
        self,
        authenticators: Sequence[Authenticator],
        lasts: Callable[[str, float], bool],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticators = authenticators
        self._lasts = lasts
        self._clock = clock

    async def caller(self, arrival: Arrival) -> Caller | Refusal:
        """Return who calls; every request is judged anew (RS-11)."""
        if not (arrival.token or arrival.principal):
            return Refusal.of_stranger(arrival.metadata, INITIAL)
        for authenticator in self._authenticators:
            if authenticator.knows(arrival):
                try:
                    return self._caller(arrival, await authenticator.prove(arrival))
                except Unreachable:
                    return Refusal.of_outage()
                except Refused:
                    break
        return Refusal.of_bad_token(arrival.metadata, INITIAL)

    def _caller(self, arrival: Arrival, proven: Proven) -> Caller:
        """Return the client as a caller.

        Raises `Refused` when its time is over (RS-04), or its person has not come for long.
        """
        client = proven.client
        if not proven.principal or (client.expires_at and client.expires_at <= self._clock()):
            raise Refused
        if proven.since and not self._lasts(proven.principal, proven.since):
            raise Refused
        return Caller(proven.principal, client.id, "", arrival.origin, client=client)
