"""All token families, in the vault: any number of processes may have one of these on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ..secret import Secret
from ..vault import Conflict, Vault
from . import redirects, tokens
from .family import Family

KIND = "client_family"

MOST = 16
"""Sign-ins of one program by one person; one more ends the oldest."""

USED_SECONDS = 600.0
"""How old the stored time of the last use may become before a use costs a write."""

_NOTHING = Secret("")


class Families:
    """Sign-ins of programs. What is stored is durable when a method returns.

    It is also the registry of the programs that a person approved (BP-02): an approval holds as
    long as what came of it.
    """

    def __init__(self, vault: Vault, *, clock: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._clock = clock

    # Look-ups --------------------------------------------------------------------------------

    def get(self, id: str) -> Family | None:
        """Return a family that is live."""
        record = self._vault.get(KIND, id) if id else None
        if record is None:
            return None
        family = Family.from_meta(record.id, record.meta, record.revision)
        return family if family.live(self._clock()) else None

    def led_to(self, prefix: str, token: str) -> Family | None:
        """Return the family that a code or a refresh token leads to, good or not."""
        handle = tokens.key(prefix, token)
        return self.get(tokens.id_of(handle)) if handle else None

    def of(self, principal: str) -> list[Family]:
        """Return the sign-ins of a person's programs; what was never redeemed is none."""
        return [f for f in self._all() if f.principal == principal and f.redeemed]

    def clients(self) -> set[str]:
        """Return the client ids of all that are signed in, or about to."""
        return {family.client_id for family in self._all()}

    def approved(self, principal: str, client_id: str, redirect: str, resource: str) -> set[str]:
        """Return the scopes that the person has let this very program have (BP-02)."""
        same = (client_id, redirects.without_port(redirect), resource)
        return {
            scope
            for family in self.of(principal)
            if (family.client_id, redirects.without_port(family.redirect_uri), family.resource)
            == same
            for scope in family.scopes
        }

    # Changes ---------------------------------------------------------------------------------

    def begin(self, family: Family) -> None:
        """Store a family whose code goes out now, and forget those that are over."""
        self._sweep()
        mine = [one for one in self.of(family.principal) if one.client_id == family.client_id]
        for oldest in sorted(mine, key=lambda one: one.used_at)[: max(0, len(mine) + 1 - MOST)]:
            self.end(oldest)
        self._vault.put(KIND, family.id, family.to_meta(), _NOTHING, expect=0)

    def save(self, family: Family) -> None:
        """Store a step. Raises `Conflict` when somebody else took one."""
        self._vault.put(KIND, family.id, family.to_meta(), _NOTHING, expect=family.revision)

    def end(self, family: Family) -> None:
        """Forget a family: nothing of it is good any more."""
        self._vault.delete(KIND, family.id)

    def used(self, family: Family, token: str) -> bool:
        """Note that an access token was used; False when it may not be good any more.

        Whoever changes the family at the same time has noted the use, too; but not the first one,
        which ends the time in which its program may come again for other tokens.
        """
        now, first = self._clock(), family.is_first_use(token)
        if not first and now - family.used_at <= USED_SECONDS:
            return True
        try:
            self.save(replace(family, used_at=now, unused="" if first else family.unused))
        except Conflict:
            return not first
        return True

    def _all(self) -> list[Family]:
        now = self._clock()
        found = (Family.from_meta(r.id, r.meta, r.revision) for r in self._vault.list(KIND))
        return [family for family in found if family.live(now)]

    def _sweep(self) -> None:
        now = self._clock()
        for record in self._vault.list(KIND):
            if not Family.from_meta(record.id, record.meta, record.revision).live(now):
                self._vault.delete(KIND, record.id)
