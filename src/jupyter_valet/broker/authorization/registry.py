"""The programs that are known, in the vault; they are counted, since anybody may register."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from ...wire.errors import ValetError
from ..secret import Secret
from ..vault import Vault
from .families import Families
from .registration import Registration, record_id
from .unkept import SECONDS, Unkept

KIND = "client_app"

MOST = 400
"""Programs that are known at once: more than strangers can register before some may be forgotten,
so that they cannot keep others out."""

MOST_SEEN = 64
"""Documents in memory of programs that nobody has let in yet."""

PER_MINUTE = 20
"""Registrations that are kept, of all who come."""

UNTOUCHED_SECONDS = SECONDS
"""How long a program has to sign in before it may be forgotten for another."""

_NOTHING = Secret("")


class Registry:
    """Registrations by client id."""

    def __init__(
        self, vault: Vault, families: Families, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._vault = vault
        self._families = families
        self._clock = clock
        self._unkept = Unkept(vault, clock=clock)
        self._recent: deque[float] = deque()
        self._seen: OrderedDict[str, Registration] = OrderedDict()

    def get(self, client_id: str) -> Registration | None:
        """Return a program that is known, or was seen lately, or whose id says what it is."""
        if client_id in self._seen:
            return self._seen[client_id]
        record = self._vault.get(KIND, record_id(client_id))
        return Registration.from_meta(record.meta) if record else self._unkept.read(client_id)

    def see(self, registration: Registration) -> None:
        """Remember what a document says now; merely to look at its page costs the vault nothing."""
        self._seen[registration.client_id] = registration
        self._seen.move_to_end(registration.client_id)
        while len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    def put(self, registration: Registration) -> None:
        """Know a program. Raises `ValetError` ("too_many_programs")."""
        id = record_id(registration.client_id)
        if self._vault.get(KIND, id) is None:
            self._make_room()
        self._vault.put(KIND, id, registration.to_meta(), _NOTHING)

    def register(self, registration: Registration) -> Registration:
        """Know a program that registers itself; when too many come, by an id that holds it all.

        So that strangers, whose address says nothing behind a proxy, keep nobody out. Raises
        `ValetError` ("too_many_programs") for one that is too large for that.
        """
        if self._is_one_too_many():
            return self._unkept.sealed(registration)
        try:
            self.put(registration)
        except ValetError:
            return self._unkept.sealed(registration)
        return registration

    def _is_one_too_many(self) -> bool:
        now = self._clock()
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        if len(self._recent) >= PER_MINUTE:
            return True
        self._recent.append(now)
        return False

    def _make_room(self) -> None:
        """Forget the oldest program that nobody is signed in with."""
        known = [Registration.from_meta(record.meta) for record in self._vault.list(KIND)]
        if len(known) < MOST:
            return
        used = self._families.clients()
        before = self._clock() - UNTOUCHED_SECONDS
        idle = [one for one in known if one.client_id not in used and one.made_at < before]
        if not idle:
            raise ValetError("too_many_programs")
        oldest = min(idle, key=lambda one: one.made_at)
        self._vault.delete(KIND, record_id(oldest.client_id))
