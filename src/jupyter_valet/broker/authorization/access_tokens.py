"""Judges the access tokens that our own authorization server gave out."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...wire.clients import ACCESS_PREFIX, Arrival
from ..client import Client
from ..clients import Proven, Refused
from . import tokens
from .families import Families
from .registration import subject


class AccessTokens:
    """An authenticator (`broker.clients`) for tokens with our prefix; no other kind sees them."""

    def __init__(self, families: Families, *, clock: Callable[[], float] = time.time) -> None:
        self._families = families
        self._clock = clock

    def knows(self, arrival: Arrival) -> bool:
        """Tell by the prefix."""
        return arrival.token.startswith(ACCESS_PREFIX)

    async def prove(self, arrival: Arrival) -> Proven:
        """Return the person and the program.

        Raises `Refused` for a token that is over, was taken back, or is for another endpoint: also
        this one under another name, since it was not what the person was shown (RS-05).
        """
        family = self._families.get(tokens.key(ACCESS_PREFIX, arrival.token))
        if family is None or family.resource != arrival.resource:
            raise Refused
        scopes, until = family.opened_by(arrival.token, self._clock())
        if not scopes:
            raise Refused
        if not self._families.used(family, arrival.token):
            return await self.prove(arrival)
        client = Client(subject(family.client_id), family.title, scopes, until)
        return Proven(family.principal, client, family.made_at)
