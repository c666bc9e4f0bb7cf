"""Requests that a person is looking at: kept in memory, since nothing was allowed yet (BP-06)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...wire.errors import ValetError
from .registration import Registration

SECONDS = 600.0
MOST = 64


@dataclass(frozen=True)
class Asked:
    """A request that may be approved, by this person, at this origin."""

    principal: str
    origin: str
    fields: dict[str, str]
    program: Registration
    scopes: frozenset[str]
    """What it asks for, as far as it is ours."""
    until: float


class Questions:
    """Requests by the nonce of their page; each is answered once.

    A person's oldest goes when there are too many: its page says that it is out of date.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._asked: dict[str, Asked] = {}

    def put(self, asked: Asked) -> str:
        """Keep a request and return its nonce."""
        nonce = secrets.token_urlsafe(32)
        mine = [one for one, other in self._asked.items() if other.principal == asked.principal]
        for oldest in mine[: max(0, len(mine) + 1 - MOST)]:
            del self._asked[oldest]
        self._asked[nonce] = asked
        return nonce

    def get(self, principal: str, origin: str, nonce: str) -> Asked:
        """Return the request. Raises `ValetError` ("page_out_of_date"), also for another person."""
        asked = self._asked.get(nonce)
        if asked is None or self._clock() >= asked.until:
            raise ValetError("program_page_out_of_date")
        if (asked.principal, asked.origin) != (principal, origin):
            raise ValetError("program_page_out_of_date")
        return asked

    def take(self, nonce: str) -> None:
        """Forget the request: it was answered."""
        self._asked.pop(nonce, None)
